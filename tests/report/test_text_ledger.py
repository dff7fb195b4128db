"""The ledger reads well at three batch norms and at three hundred."""

from __future__ import annotations

from dataclasses import replace

from bnfold.fold.account.allowance import Allowance
from bnfold.fold.account.ledger import Decision, Ledger, Numbers
from bnfold.fold.account.size import Size
from bnfold.fold.plan import Refusal
from bnfold.report.ledger_text import ledger_blocks
from bnfold.report.plain import plain_text

FOLDED = Decision(
    name="bn1", op="BatchNormalization", output="bn1_out", scope="", channels=64, status="folded",
    direction="backward", rules=("relu", "conv"), into=("Conv 'conv1'",),
    numbers=Numbers(3.25, 1, 2, 4.5, 1.75),
)  # fmt: skip
KEPT = Decision(
    name="bn2", op="BatchNormalization", output="bn2_out", scope="", channels=32, status="kept",
    refusals=(
        Refusal("rectifier", "only a positive scale passes", "Relu 'relu2'", "put it before"),
    ),
    would_fold_with=("rectifier",),
)  # fmt: skip


def text_of(*decisions, every_row=False, **facts):
    ledger = Ledger(tuple(decisions), **facts)
    return plain_text(ledger_blocks(ledger, every_row=every_row))


def test_a_small_ledger_names_everything():
    assert text_of(FOLDED, KEPT).splitlines() == [
        "batch norms: 2 -> 1",
        "",
        "folded: 1",
        "  count  direction  rules       into",
        "      1  backward   relu, conv  Conv 'conv1'",
        "",
        "kept: 1",
        "  1 x  'bn2'",
        "      stopped by Relu 'relu2': only a positive scale passes [rectifier]",
        "      to do: put it before",
        "      would fold with --allow rectifier; may be slower here: bench it",
    ]


def test_three_hundred_batch_norms_fit_on_a_screen():
    folded = [replace(FOLDED, name=f"bn{i}", into=(f"Conv 'c{i}'",)) for i in range(250)]
    kept = [
        replace(KEPT, name=f"k{i}", refusals=(replace(KEPT.refusals[0], at=f"Relu 'r{i}'"),))
        for i in range(50)
    ]
    text = text_of(*folded, *kept)
    assert len(text.splitlines()) < 15
    assert "250  backward   relu, conv  Conv 'c0', Conv 'c1', Conv 'c2' and 247 more" in text
    assert "50 x  'k0', 'k1', 'k2' and 47 more" in text
    assert "stopped by Relu 'r0', Relu 'r1', Relu 'r2' and 47 more" in text


def test_each_row_is_shown_when_asked_for_with_its_numbers():
    lines = text_of(FOLDED, KEPT, every_row=True).splitlines()
    assert any(line.split()[:3] == ["'bn1'", "BatchNormalization", "64"] for line in lines)
    assert any("stopped by Relu 'relu2'" in line and "'bn2'" in line for line in lines)
    (numbers,) = (line for line in lines if "3.25" in line)
    assert numbers.split() == ["'bn1'", "3.25", "1", "2", "4.5", "1.75"]


def test_kept_ones_with_different_ways_out_are_not_thrown_together():
    other = replace(KEPT, name="bn3", would_fold_with=())
    assert text_of(KEPT, other).count("1 x  ") == 2


def test_what_more_would_cost_stands_beside_what_it_folds():
    told = (
        Allowance("rectifier", ("bn2",), -1, -4096, 32),
        Allowance("clone,cast", ("bn2", "bn3"), 0, None, -1500),
    )
    lines = text_of(KEPT, allowances=told).splitlines()
    assert lines[-3:] == [
        "what more would cost  would fold  nodes  multiplications  parameter bytes",
        "--allow rectifier              1     -1           -4,096            +32 B",
        "--allow clone,cast             2      0        not known          -1.5 KB",
    ]
    assert "--allow clone,cast" in text_of(KEPT, allowances=told, every_row=True)


def test_both_directions_tell_their_reason():
    both = replace(KEPT, refusals=(*KEPT.refusals, Refusal("graph-output", "it is an output", "")))
    text = text_of(both)
    assert "only a positive scale passes [rectifier]" in text
    assert "it is an output [graph-output]" in text


def test_constant_arithmetic_is_counted_apart_from_batch_norms():
    affine = replace(FOLDED, name="scale", op="affine")
    assert text_of(FOLDED, affine).startswith(
        "batch norms: 1 -> 0; other per-channel scales and shifts: 1 of 1 folded\n"
    )


def test_a_batch_norm_in_a_body_is_named_with_its_scope():
    assert "'bn2' in If 'branch'" in text_of(replace(KEPT, scope="If 'branch'"))


def test_a_bug_of_ours_is_told_at_the_top():
    text = text_of(FOLDED, bugs=("the rewrite of 'bn9' did not prove itself",))
    assert text.splitlines()[1] == (
        "bug in bnfold: the rewrite of 'bn9' did not prove itself; please report it"
    )


def test_merged_branches_are_told_and_counted():
    merges = tuple(f"Conv 'a{i}' and Conv 'b{i}' are one Conv 'b{i}'" for i in range(5))
    lines = text_of(FOLDED, merges=merges).splitlines()
    assert lines[2:7] == [
        "merged: 5",
        "  Conv 'a0' and Conv 'b0' are one Conv 'b0'",
        "  Conv 'a1' and Conv 'b1' are one Conv 'b1'",
        "  Conv 'a2' and Conv 'b2' are one Conv 'b2'",
        "  and 2 more; --all shows them",
    ]
    assert text_of(FOLDED, merges=merges, every_row=True).count("merged: ") == 5


def test_a_model_without_batch_norms_says_so():
    for every_row in (False, True):
        (line,) = text_of(every_row=every_row).splitlines()
        assert line.startswith(
            "there is no batch norm in this model: it was folded already, or its exporter"
        )


def test_the_proof_the_price_and_the_size_are_told():
    before = Size(12, {"Conv": 3, "BatchNormalization": 2, "Relu": 7}, 12345, 49380, 1000)
    after = Size(11, {"Conv": 3, "BatchNormalization": 1, "Relu": 7}, 12000, 48000, 900)
    paid = replace(FOLDED, price=("clone",), proof=3.4e-16)
    ledger = {"proofs": (1e-17, 3.4e-16), "before": before, "after": after}
    lines = text_of(paid, KEPT, **ledger).splitlines()
    assert lines[1] == "2 rewrites, each proven in float64 (worst 3e-16)"
    assert lines[2] == "paid: clone for 'bn1'; may be slower here: bench it"
    assert [line.split() for line in lines[-6:]] == [
        ["size", "before", "after"],
        ["nodes", "12", "11"],
        ["BatchNormalization", "2", "1"],
        ["parameters", "12,345", "12,000"],
        ["parameter", "bytes", "49.4", "KB", "48.0", "KB"],
        ["multiplications", "1,000", "900"],
    ]
    rows = text_of(paid, KEPT, every_row=True, **ledger)
    assert ["Relu", "7", "7"] in [line.split() for line in rows.splitlines()]
    assert "clone" in next(line for line in rows.splitlines() if line.startswith("'bn1'"))


def test_multiplications_that_are_not_known_say_why():
    size = Size(1, {"Conv": 1}, 9, 36, None)
    text = text_of(KEPT, before=size, after=size)
    assert "multiplications  not known  not known" in text
    assert "not known where sizes beside the batch are open" in text
