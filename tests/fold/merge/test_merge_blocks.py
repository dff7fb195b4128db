"""Training blocks of re-parameterised networks become the plain network they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fold.merge.merging import Array, conv, merged, norm, weight

PAD = "pads = [1, 1, 1, 1]"


def _repvgg(stride: int, channels_in: int, channels: int) -> tuple[str, dict[str, Array]]:
    """One RepVGG block, as torch exports it, identity branch included where there is one."""
    small = f"strides = [{stride}, {stride}]"
    identity = stride == 1 and channels_in == channels
    text = f"""[c3] a = Conv<{PAD}, {small}, kernel_shape = [3, 3]>(x, w3) [bn3] b = BN(a, p)
               [c1] c = Conv<{small}, kernel_shape = [1, 1]>(x, w1) [bn1] d = BN(c, q)
               [add] e = Add(b, d) """
    text += "[bn0] f = BN(x, r) [plus] g = Add(e, f) y = Relu(g)" if identity else "y = Relu(e)"
    constants = {
        "w3": weight(channels, channels_in, 3, 3, seed=1),
        "w1": weight(channels, channels_in, 1, 1, seed=2),
        **norm("p", channels, signs=True, seed=3),
        **norm("q", channels, seed=4),
        **norm("r", channels, signs=True, seed=5),
    }
    return text, constants


@pytest.mark.parametrize(("stride", "channels"), [(1, 4), (2, 4), (1, 6)])
def test_a_repvgg_block_is_one_conv(stride: int, channels: int) -> None:
    block, constants = _repvgg(stride, 4, channels)
    text = f"(float[N, 4, H, W] x) => (float[N, {channels}, P, Q] y) {{ {block} }}"
    folded = merged(text, constants, x=(2, 4, 7, 6))
    assert folded.operators == ["Conv", "Relu"]
    assert folded.node("Conv").name == "c3"
    assert folded.attribute("Conv", "strides") == [stride, stride]
    identity = {"bn0": "merge-parallel"} if (stride, channels) == (1, 4) else {}
    assert folded.rules == {"bn3": "backward", "bn1": "backward", **identity}


def test_the_identity_batch_norm_is_accounted_for() -> None:
    """Its scale and shift are told as for every other fold, and who took them."""
    block, constants = _repvgg(1, 4, 4)
    text = f"(float[N, 4, H, W] x) => (float[N, 4, P, Q] y) {{ {block} }}"
    ledger = merged(text, constants, x=(1, 4, 5, 5)).result.ledger
    (identity,) = [d for d in ledger.decisions if d.name == "bn0"]
    assert identity.into == ("Conv 'c3'",)
    assert identity.channels == 4
    assert identity.numbers is not None and identity.numbers.negative_scales == 2
    assert ledger.merges == ("Conv 'c3', Conv 'c1' and BatchNormalization 'bn0' are one Conv 'c3'",)


def test_two_repvgg_blocks_in_a_row() -> None:
    """The input of the second is the output of the first: its identity is not a graph input."""
    _, constants = _repvgg(1, 4, 4)
    blocks = "".join(
        f"""a{i} = Conv<{PAD}>({x}, w3) b{i} = BN(a{i}, p) c{i} = Conv({x}, w1) d{i} = BN(c{i}, q)
            e{i} = Add(b{i}, d{i}) f{i} = BN({x}, r) g{i} = Add(e{i}, f{i}) {y} = Relu(g{i}) """
        for i, x, y in ((1, "x", "z"), (2, "z", "y"))
    )
    text = f"(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{ {blocks} }}"
    folded = merged(text, constants, x=(2, 4, 6, 6))
    assert folded.operators == ["Conv", "Relu", "Conv", "Relu"]


@pytest.mark.parametrize("group", [1, 4])
def test_a_mobileone_block_is_one_conv(group: int) -> None:
    """Several convolutions of one size, a 1x1 scale branch and an identity batch norm."""
    g = f"group = {group}"
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        s = BN(x, r)
        a = Conv<{g}>(x, w1) b = BN(a, q) c = Add(b, s)
        d = Conv<{g}, {PAD}>(x, u3) e = BN(d, p) f = Add(c, e)
        h = Conv<{g}, {PAD}>(x, v3) i = BN(h, o) j = Add(f, i)
        y = Relu(j) }}"""
    constants = {
        "w1": weight(4, 4 // group, 1, 1, seed=1),
        "u3": weight(4, 4 // group, 3, 3, seed=2),
        "v3": weight(4, 4 // group, 3, 3, seed=3),
        **norm("r", 4, signs=True, seed=4),
        **norm("q", 4, seed=5),
        **norm("p", 4, signs=True, seed=6),
        **norm("o", 4, seed=7),
    }
    folded = merged(text, constants, x=(2, 4, 5, 7))
    assert folded.operators == ["Conv", "Relu"]
    assert folded.attribute("Conv", "group") == group
    assert folded.constant("Conv", 1).shape == (4, 4 // group, 3, 3)


def test_an_acnet_block_is_one_conv() -> None:
    """A square, a row and a column of taps."""
    text = f"""(float[N, 3, H, W] x) => (float[N, 4, H, W] y) {{
        a = Conv<{PAD}>(x, aw) b = BN(a, p)
        c = Conv<pads = [0, 1, 0, 1]>(x, cw) d = BN(c, q) e = Add(b, d)
        f = Conv<pads = [1, 0, 1, 0]>(x, fw) g = BN(f, r) y = Add(e, g) }}"""
    constants = {
        "aw": weight(4, 3, 3, 3, seed=1),
        "cw": weight(4, 3, 1, 3, seed=2),
        "fw": weight(4, 3, 3, 1, seed=3),
        **norm("p", 4, signs=True, seed=4),
        **norm("q", 4, seed=5),
        **norm("r", 4, seed=6),
    }
    folded = merged(text, constants, x=(2, 3, 6, 5))
    assert folded.operators == ["Conv"]
    square = folded.constant("Conv", 1)
    corner = constants["aw"][:, :, 0, 0] * _scale(constants, "p")[:, None]
    np.testing.assert_allclose(square[:, :, 0, 0], corner, rtol=1e-6)


def _scale(constants: dict[str, Array], prefix: str) -> Array:
    return np.asarray(constants[f"{prefix}g"] / np.sqrt(constants[f"{prefix}v"] + np.float32(1e-5)))


def test_a_diverse_branch_block_is_one_conv() -> None:
    """k x k; 1x1 then k x k without padding; 1x1 then mean; 1x1: DBB with its padding outside."""
    text = """(float[N, 4, H, W] x) => (float[N, 4, P, Q] y) {
        a = Conv(x, w3) b = BN(a, p)
        c = Conv(x, w1) d = BN(c, q) e = Conv(d, v3) f = BN(e, r) g = Add(b, f)
        h = Conv(x, u1) i = BN(h, o)
        j = AveragePool<kernel_shape = [3, 3]>(i) k = BN(j, s) y = Add(g, k) }"""
    constants = {
        "w3": weight(4, 4, 3, 3, seed=1),
        "w1": weight(4, 4, 1, 1, seed=2),
        "v3": weight(4, 4, 3, 3, seed=3),
        "u1": weight(4, 4, 1, 1, seed=4),
    }
    for index, prefix in enumerate("pqros"):
        constants |= norm(prefix, 4, signs=index % 2 == 0, seed=10 + index)
    assert merged(text, constants, x=(2, 4, 6, 5)).operators == ["Conv"]


@pytest.mark.parametrize("behind", ["Add(a, c)", "Sum(a, c, x)"])
def test_a_batch_norm_behind_the_join(behind: str) -> None:
    """It goes into every branch, or into the one that they became."""
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        a = Conv<{PAD}>(x, aw, ab) c = Conv(x, cw) d = {behind} y = BN(d, p) }}"""
    constants = conv("a", 4, 4, 3, 3) | conv("c", 4, 4, 1, 1) | norm("p", 4, signs=True)
    assert merged(text, constants, x=(2, 4, 5, 5)).operators == ["Conv"]


def test_a_batch_norm_behind_a_residual_of_the_input() -> None:
    """Nothing could take the batch norm's share of x before the merge."""
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        a = Conv<{PAD}, group = 4>(x, aw) b = Add(x, a) y = BN(b, p) }}"""
    constants = conv("a", 4, 1, 3, 3) | norm("p", 4, signs=True)
    folded = merged(text, constants, x=(1, 4, 5, 5))
    assert folded.operators == ["Conv"]
    assert set(folded.rules.values()) == {"backward"}


def test_decomposed_batch_norms_merge_as_well() -> None:
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        a = Conv<{PAD}>(x, aw) s = Mul(x, scale) t = Add(shift, s) y = Add(t, a) }}"""
    constants = conv("a", 4, 4, 3, 3)
    constants |= {"scale": weight(4, 1, 1, seed=8), "shift": weight(1, 4, 1, 1, seed=9)}
    assert merged(text, constants, x=(1, 4, 5, 5)).operators == ["Conv"]


def test_a_fastvit_mixer_is_one_conv() -> None:
    """x + gamma * (mixed(x) - norm(x)), gamma a layer scale, `mixed` a block of branches itself."""
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        a = Conv<group = 4, {PAD}>(x, w3) b = BN(a, p) c = Conv<group = 4>(x, w1) d = BN(c, q)
        e = BN(x, r) f = Add(b, d) g = Add(e, f)
        h = BN(x, o) i = Sub(g, h) j = Mul(gamma, i) y = Add(x, j) }}"""
    constants = {
        "w3": weight(4, 1, 3, 3, seed=1),
        "w1": weight(4, 1, 1, 1, seed=2),
        "gamma": weight(4, 1, 1, seed=3),
    }
    for index, prefix in enumerate("pqro"):
        constants |= norm(prefix, 4, signs=index % 2 == 0, seed=10 + index)
    assert merged(text, constants, x=(2, 4, 6, 5)).operators == ["Conv"]


def test_a_dilated_large_kernel_block_is_one_conv() -> None:
    """Dilated small kernels lie inside the large one."""
    small = {"d1": (5, 1, 2), "d2": (3, 2, 2), "d3": (3, 3, 3), "d4": (2, 4, 2)}
    lines = ["a = Conv<group = 4, pads = [4, 4, 4, 4]>(x, w) b0 = BN(a, p)"]
    constants = {"w": weight(4, 1, 9, 9, seed=1), **norm("p", 4, signs=True)}
    for index, (name, (taps, dilation, pad)) in enumerate(small.items()):
        window = f"pads = {[pad] * 4}, dilations = {[dilation] * 2}"
        lines.append(f"""c{index} = Conv<group = 4, {window}>(x, {name})
            e{index} = BN(c{index}, n{index}) b{index + 1} = Add(b{index}, e{index})""")
        constants |= {name: weight(4, 1, taps, taps, seed=index)} | norm(f"n{index}", 4, seed=index)
    text = f"(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{ {' '.join(lines)} y = Relu(b4) }}"
    folded = merged(text, constants, x=(1, 4, 9, 8))
    assert folded.operators == ["Conv", "Relu"]
    assert folded.attribute("Conv", "kernel_shape") == [9, 9]


def test_the_branches_of_a_residual_network_stay() -> None:
    """A basic block: nothing that is added is linear in the same value."""
    text = f"""(float[N, 4, H, W] x) => (float[N, 4, H, W] y) {{
        a = Conv<{PAD}>(x, w) b = BN(a, p) c = Relu(b) d = Conv<{PAD}>(c, w) e = BN(d, q)
        f = Add(e, x) y = Relu(f) }}"""
    constants = {"w": weight(4, 4, 3, 3), **norm("p", 4), **norm("q", 4, seed=8)}
    folded = merged(text, constants, x=(1, 4, 5, 5))
    assert folded.operators == ["Conv", "Relu", "Conv", "Add", "Relu"]
    assert folded.result.ledger.merges == ()
