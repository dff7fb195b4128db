"""What could be allowed: who follows the advice folds what it says, and pays what it says."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import onnx
import pytest

import bnfold
from bnfold.errors import ModelError
from bnfold.fold import rehearsal
from bnfold.fold.account.allowance import Allowance
from tests.fold.property.text_models import model, norm, weight
from tests.fold.property.wider.network import random_network

BLOCK = "c{i} = Conv<pads = [1,1,1,1]>(b{i}, w{i}) r{i} = Relu(c{i}) b{next} = BN(r{i}, n{i}) "


def chain() -> onnx.ModelProto:
    """Four times Conv, Relu, batch norm, and a padded Conv."""
    blocks = "".join(BLOCK.format(i=i, next=i + 1) for i in range(4))
    text = f"{{ b0 = Identity(x) {blocks} y = Conv<pads = [1,1,1,1]>(b4, w4) }}"
    values = {f"w{i}": weight(8, 8, 3, 3, seed=i) for i in range(5)}
    values |= {name: value for i in range(4) for name, value in norm(f"n{i}", 8).items()}
    return model(f"(float[1,8,32,32] x) => (float[1,8,32,32] y) {text}", values)


def small(body: str, **more: np.ndarray) -> onnx.ModelProto:
    text = f"(float[1,4,8,8] x) => (float[1,4,8,8] y) {{ {body} }}"
    values = {"w": weight(4, 4, 3, 3), "v": weight(4, 4, 1, 1), **norm("n", 4), **norm("m", 4)}
    return model(text, {**values, **more})


TWO_TOGETHER = "a = Sigmoid(x) b = BN(a, n) r = Relu(b) y = Conv<pads = [1,1,1,1]>(r, w)"
COPY = "a = Conv(x, v) b = BN(a, n) c = Sigmoid(b) d = Sigmoid(a) y = Add(c, d)"
ONE_EACH = (
    "a = Conv(x, v) b = BN(a, n) c = Sigmoid(b) d = Sigmoid(a) e = Add(c, d) "
    "f = BN(e, m) y = Conv<pads = [1,1,1,1]>(f, w)"
)
NOTHING = "a = Sigmoid(x) b = BN(a, n) y = Sigmoid(b)"


def size_in_file(proto: onnx.ModelProto) -> tuple[int, int]:
    """Nodes, and bytes of weights."""
    stored = (onnx.numpy_helper.to_array(tensor).nbytes for tensor in proto.graph.initializer)
    return len(proto.graph.node), sum(stored)


def check(parsed: onnx.ModelProto, allow: tuple[str, ...] = ()) -> tuple[Allowance, ...]:
    """Following each piece of advice does what it says; a smaller set does not do."""
    plain = bnfold.fold(parsed, allow=allow, check=False)
    nodes, stored = size_in_file(plain.to_proto())
    folded: dict[tuple[str, ...], set[str]] = {}

    def left_after(prices: tuple[str, ...]) -> bnfold.fold.FoldResult:
        result = bnfold.fold(parsed, allow=(*allow, *prices), check=False)
        folded[prices] = {d.name for d in result.ledger.batch_norms if d.is_folded}
        return result

    left_after(())
    for told in plain.ledger.allowances:
        prices = tuple(told.allow.split(","))
        result = left_after(prices)
        assert folded[prices] - folded[()] == set(told.batch_norms)
        more_nodes, more_stored = size_in_file(result.to_proto())
        assert (more_nodes - nodes, more_stored - stored) == (told.nodes, told.parameter_bytes)
        then, now = result.ledger.after, plain.ledger.after
        assert then is not None
        assert now is not None
        known = then.multiplications, now.multiplications
        difference = None if None in known else known[0] - known[1]  # type: ignore[operator]
        assert told.multiplications == difference
    for kept in (d for d in plain.ledger.batch_norms if not d.is_folded):
        for named in kept.would_fold_with:
            prices = tuple(named.split(","))
            left_after(prices)
            assert kept.name in folded[prices]
            for fewer in (s for n in range(1, len(prices)) for s in combinations(prices, n)):
                left_after(fewer)
                assert kept.name not in folded[fewer]
    return plain.ledger.allowances


def test_one_price_that_folds_all_is_told_with_what_it_costs() -> None:
    """Worked out by hand: each time a norm of 4 x 8 numbers and its scaling of 8 x 32 x 32 go; a
    bias and bounds of 8 come, or a map of 8 x 32 x 32.
    """
    first, second = check(chain())
    assert (first.allow, len(first.batch_norms), first.nodes) == ("rectifier", 4, -4)
    assert (second.allow, len(second.batch_norms), second.nodes) == ("constant-map", 4, 0)
    assert first.multiplications == second.multiplications == -4 * 8 * 32 * 32
    assert first.parameter_bytes == 4 * 4 * (8 + 8 - 4 * 8)
    assert second.parameter_bytes == 4 * 4 * (8 * 32 * 32 - 4 * 8)
    for kept in bnfold.fold(chain(), check=False).ledger.kept:
        assert kept.would_fold_with == ("rectifier", "constant-map")


def test_two_that_are_needed_together() -> None:
    (told,) = check(small(TWO_TOGETHER))
    assert told.allow == "constant-map,rectifier"


def test_a_copy_costs_the_multiplications_of_what_is_copied() -> None:
    """The 1x1 convolution once more, 4 * 4 * 64, without the batch norm's 4 * 64; two tensors more
    of 4 * 4 and 4 numbers, for four of 4.
    """
    (told,) = check(small(COPY))
    assert (told.allow, told.nodes) == ("clone", 0)
    assert told.multiplications == 4 * 4 * 64 - 4 * 64
    assert told.parameter_bytes == 4 * (4 * 4 + 4 - 4 * 4)


def test_each_has_its_own_and_one_set_folds_both() -> None:
    rows = {told.allow: len(told.batch_norms) for told in check(small(ONE_EACH))}
    assert rows == {"constant-map": 1, "clone": 1, "constant-map,clone": 2}


def test_what_is_allowed_already_is_no_advice() -> None:
    (told,) = check(small(ONE_EACH), ("clone",))
    assert told.allow == "constant-map"
    assert check(small(ONE_EACH), ("clone", "constant-map")) == ()


def test_nothing_is_said_where_nothing_helps() -> None:
    assert check(small(NOTHING)) == ()


def test_what_is_skipped_is_not_advised_about() -> None:
    skipped = bnfold.fold(chain(), skip="b1", check=False).ledger
    assert all("b1" not in told.batch_norms for told in skipped.allowances)
    assert [len(told.batch_norms) for told in skipped.allowances] == [3, 3]


def test_inspect_says_what_fold_says() -> None:
    parsed = small(ONE_EACH)
    assert bnfold.inspect(parsed).allowances == bnfold.fold(parsed).ledger.allowances


def test_what_takes_too_long_to_fold_is_told_without_its_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The copy is folded to a bound, which is low here; what it folded until then is true."""
    monkeypatch.setattr(rehearsal, "_REHEARSAL", 10)
    monkeypatch.setattr(rehearsal, "_LEAST_REHEARSAL", 0)
    told = bnfold.fold(chain(), check=False).ledger.allowances
    assert told
    for one in told:
        assert (one.nodes, one.multiplications, one.parameter_bytes) == (None, None, None)
        followed = bnfold.fold(chain(), allow=one.allow, check=False).ledger
        assert set(one.batch_norms) <= {d.name for d in followed.folded}


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 200, 50))
def test_on_random_networks(start: int) -> None:
    for seed in range(start, start + 50):
        network = random_network(seed)
        try:
            check(getattr(network, "model", network))
        except ModelError:
            continue  # a network that is refused has no advice
