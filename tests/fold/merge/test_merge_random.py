"""Random sums of random branches: right, no more work, and done when done.

They take seconds: which of several ways through a sum is taken depends on all of its branches, so
that no list of cases covers it.
"""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st

from tests.fold.merge.merging import Array, model, norm, weight
from tests.fold.property.oracle import check_fold

_SETTINGS = hypothesis.settings(
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
CHANNELS = 4


class _Network:
    """Grows a network of branches of `x` and `z`, all [N, 4, H, W], as ONNX text."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self._lines: list[str] = []
        self.constants: dict[str, Array] = {}
        self.outputs = ["y"]

    @property
    def text(self) -> str:
        outputs = ", ".join(
            f"float[N, {CHANNELS}, P{i}, Q] {o}" for i, o in enumerate(self.outputs)
        )
        inputs = ", ".join(f"float[N, {CHANNELS}, H, W] {name}" for name in ("x", "z"))
        return f"({inputs}) => ({outputs}) {{ {' '.join(self._lines)} }}"

    def pick(self, *choices: str) -> str:
        return self._data.draw(st.sampled_from(choices))

    def add(self, call: str) -> str:
        name = f"v{len(self._lines)}"
        self._lines.append(f"{name} = {call}")
        return name

    def finish(self, value: str) -> None:
        self._lines.append(f"y = Identity({value})")

    def constant(self, *shape: int) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = weight(*shape, seed=len(self.constants))
        return name

    def norm(self) -> str:
        name = f"n{len(self.constants)}"
        self.constants |= norm(name, CHANNELS, signs=True, seed=len(self.constants))
        return name

    def branch(self, x: str, depth: int) -> str:
        kind = self.pick(
            "conv", "conv", "conv", "transposed", "mean", "norm", "x", "scale", "two", "relu"
        )
        if kind == "x" or depth == 0:
            return x
        if kind in ("conv", "transposed"):
            return self.conv(x, "ConvTranspose" if kind == "transposed" else "Conv")
        if kind == "mean":
            count = self.pick("", ", count_include_pad = 1")
            return self.add(f"AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]{count}>({x})")
        if kind == "norm":
            return self.add(f"BN({x}, {self.norm()})")
        if kind == "scale":
            return self.add(f"Mul({x}, {self.constant(CHANNELS, 1, 1)})")
        inner = self.branch(x, depth - 1)
        return self.add(f"Relu({inner})") if kind == "relu" else self.branch(inner, depth - 1)

    def conv(self, x: str, operator: str) -> str:
        group = self._data.draw(st.sampled_from([1, 1, 2, 4]))
        rows, columns = self.pick("11", "33", "33", "13", "31", "53")
        dilation = self._data.draw(st.sampled_from([1, 1, 2]))
        k, m = int(rows), int(columns)
        p, q = (k - 1) * dilation // 2, (m - 1) * dilation // 2
        w = self.constant(CHANNELS, CHANNELS // group, k, m)
        b = self.pick("", f", {self.constant(CHANNELS)}")
        attributes = f"group = {group}, dilations = [{dilation}, {dilation}], pads = {[p, q, p, q]}"
        return self.add(f"{operator}<{attributes}>({x}, {w}{b})")

    def sum(self, x: str, z: str, depth: int) -> str:
        """A tree of additions; now and then a partial sum is returned too."""
        if depth == 0:
            value = self.branch(self.pick(x, x, x, z), 2)
            return self.add(f"BN({value}, {self.norm()})") if self.pick("a", "b") == "a" else value
        kind = self.pick("Add", "Add", "Sub", "Sum")
        count = 3 if kind == "Sum" else 2
        parts = [self.sum(x, z, self._data.draw(st.integers(0, depth - 1))) for _ in range(count)]
        if kind == "Sum" and self.pick("a", "b") == "a":
            parts.append(self.constant(CHANNELS, 1, 1))
        value = self.add(f"{kind}({', '.join(parts)})")
        if self.pick("a", "b", "c", "d", "e", "f") == "a":
            self.outputs.append(value)
        return value


def _check(data: st.DataObject, depth: int) -> None:
    network = _Network(data)
    value = network.sum("x", "z", depth)
    value = network.pick(value, network.add(f"Relu({value})"))
    if network.pick("a", "b") == "a":
        value = network.sum(value, "x", depth - 1)
    network.finish(value)
    feeds = {name: weight(2, CHANNELS, 6, 5, seed=i) for i, name in enumerate("xz")}
    built = model(network.text, network.constants)
    check_fold(built, [feeds])


@pytest.mark.slow
@hypothesis.settings(_SETTINGS, max_examples=25)
@hypothesis.given(st.data())
def test_a_sum_of_branches(data: st.DataObject) -> None:
    _check(data, 2)


@pytest.mark.slow
@hypothesis.settings(_SETTINGS, max_examples=400)
@hypothesis.given(st.data())
def test_a_deep_sum_of_branches(data: st.DataObject) -> None:
    _check(data, 4)
