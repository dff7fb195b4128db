"""The study: runs that can be repeated and gone on with, intervals, and sentences that follow."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bnfold.errors import DataError
from models.study import answers, page, rows
from models.study.__main__ import main
from models.study.figures import VARIANTS, Study, Variant, of_whole_seeds
from models.study.grid import FULL, QUICK, Cell, Grid
from models.study.one_run import Outcome, initialised, run
from models.study.statistics import difference, estimate

DOCS = Path(__file__).parents[2] / "docs"
TINY = replace(QUICK, learning_rates=(0.1,), seeds=1, epochs=1)
GRID = Grid(learning_rates=(0.1, 1.0), init_scales=(1.0,), seeds=6, epochs=3)


def outcomes(accuracies_of) -> dict[Cell, Outcome]:
    return {
        cell: Outcome(cell, (1.0,) * 3, tuple(accuracies_of(cell)), accuracies_of(cell)[-1], None)
        for cell in GRID.cells()
    }


def test_a_run_is_the_same_each_time_and_learns() -> None:
    cell = Cell("after", True, 0.1, 1.0, 3)
    grid = replace(FULL, epochs=3)
    first = run(cell, grid)
    assert first == run(cell, grid)
    assert first.losses[-1] < first.losses[0]
    assert first.lost_at_step is None


def test_a_run_whose_loss_is_lost_says_at_which_step() -> None:
    lost = run(Cell("none", False, 1e20, 4.0, 0), replace(FULL, epochs=2))
    assert lost.lost_at_step == 2
    assert lost.accuracies == ()
    assert lost.held_out_percent < 20


@pytest.mark.parametrize("scale", [0.25, 4.0])
def test_first_weights_are_as_large_as_the_cell_says(scale: float) -> None:
    plain, scaled = (
        initialised(Cell("none", False, 0.1, s, 0)).features[2].weight.detach().numpy()
        for s in (1.0, scale)
    )
    assert plain.std() == pytest.approx(np.sqrt(2 / (16 * 9)), rel=0.05)
    assert scaled.std() == pytest.approx(scale * np.sqrt(2 / (16 * 9)), rel=0.05)


def test_rows_come_back_as_they_were_and_a_torn_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    known = outcomes(lambda cell: [50.0, 90.5, 99.0])
    first, *_, last = known
    known[last] = Outcome(last, (), (), 10.0, 7)
    rows.write(path, {})
    for outcome in known.values():
        rows.append(path, outcome)
    assert rows.read(path) == known
    path.write_text(path.read_text()[:-9])
    assert list(rows.read(path)) == list(known)[:-1]
    assert rows.read(path)[first] == known[first]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", ",".join(rows.COLUMNS) + "\nbefore,1,x\n"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(DataError, match=r"runs\.csv: "):
        rows.read(tmp_path / "runs.csv")


def test_intervals_hold_the_mean_and_differ_by_seed() -> None:
    values = [3.0, 4.0, 5.0, 6.0, 7.0]
    found = estimate(values)
    assert found.low < found.mean == 5.0 < found.high
    assert estimate(values) == found
    apart = difference(values, [v + 1 for v in values])
    assert (apart.low, apart.mean, apart.high) == (1, 1, 1)
    assert apart.sign == 1
    assert difference(values, values[::-1]).sign == 0


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.RandomState(0)
    hits = 0
    for sample in rng.standard_normal((200, 30)):
        found = estimate(sample)
        hits += found.low <= 0 <= found.high
    assert 0.88 < hits / 200 < 0.99


def speeds(cell: Cell) -> list[float]:
    """After is an epoch faster than before at each seed; without, one seed of six gets there."""
    reached = {"before": 2, "after": 1, "none": 9 if cell.seed else 3}[cell.place]
    return [96.0 if epoch >= reached else 60.0 for epoch in (1, 2, 3)]


def test_sentences_follow_from_the_runs() -> None:
    study = Study(GRID, outcomes(speeds))
    said = answers.speed(study)
    assert "With batch norm before the activation, 95 % took 2.0 [2.0, 2.0] epochs" in said[0]
    assert "(only 1 of 6 seeds got there)" in said[2]
    assert said[-2].endswith("-1.0 [-1.0, -1.0] epochs: fewer.")
    claims = dict(answers.verdicts(study))
    assert claims["Batch norm speeds up training"] == "holds here"
    assert claims["Batch norm makes the result better"] == "holds here"
    place = "After the activation is better than before it"
    assert claims[place] == "holds in one of two comparisons"
    assert claims["Batch norm and Dropout together are better than batch norm alone"] == (
        "no difference seen"
    )


def test_a_target_that_no_seed_reached_took_no_time() -> None:
    said = answers.speed(Study(GRID, outcomes(lambda cell: [60.0, 70.0, 80.0])))
    assert said[0] == (
        "With batch norm before the activation, no seed reached 95 % in 3 epochs at any rate."
    )


def test_nothing_is_concluded_from_few_seeds() -> None:
    study = Study(replace(GRID, seeds=4), outcomes(speeds))
    assert {said for _, said in answers.verdicts(study)} == {"too few seeds to tell"}
    assert answers.speed(study)[-2].endswith("-1.0 [-1.0, -1.0] epochs (too few seeds to tell).")
    assert difference([1.0] * 4, [2.0] * 4).sign == 0
    assert difference([1.0] * 5, [2.0] * 5).sign == 1


def test_a_claim_that_the_runs_contradict_is_told_so() -> None:
    def slower(cell: Cell) -> list[float]:
        return [96.0] * 3 if cell.place == "none" else [60.0, 60.0, 96.0 - cell.seed % 2]

    claims = dict(answers.verdicts(Study(GRID, outcomes(slower))))
    assert claims["Batch norm speeds up training"] == "the opposite holds here"


def test_a_rate_works_where_every_seed_learned() -> None:
    def fails(cell: Cell) -> list[float]:
        lost = cell.place == "none" and cell.learning_rate == 1.0 and cell.seed == 2
        return [10.0] * 3 if lost else [97.0] * 3

    study = Study(GRID, outcomes(fails))
    none = Variant("none", False)
    assert study.working_rates(none) == [0.1]
    assert study.failures(none, 1.0) == 1
    said = answers.rates(study)
    assert "Without batch norm: every seed learned at every rate from 0.1 to 0.1" in said[2]
    assert "seeds failed at 1 (1 of 6)" in said[2]


@pytest.mark.slow
def test_what_is_missing_is_run_and_what_is_there_is_not(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("matplotlib", reason="the package matplotlib is not installed")
    from models.study import __main__ as command

    monkeypatch.setattr(command, "QUICK", TINY)
    arguments = ["--quick", "--output", str(tmp_path), "--jobs", "1"]
    made = CliRunner().invoke(main, arguments)
    assert made.exit_code == 0, made.output
    runs = tmp_path / page.FOLDER / "runs.csv"
    whole, text = runs.read_bytes(), (tmp_path / f"{page.FOLDER}.md").read_text()
    pictures = {p.name: p.read_bytes() for p in runs.parent.glob("*.svg")}
    assert set(pictures) == {"curves.svg", "rates.svg", "epochs.svg"}
    assert {p.stem for p in runs.parent.glob("*.png")} == {"curves", "rates", "epochs"}
    spoilt = whole.replace(b"before,1,", b"before,9,").splitlines(keepends=True)
    runs.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]) + spoilt[-1][:12])
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 0, again.output
    assert runs.read_bytes() == whole
    assert (tmp_path / f"{page.FOLDER}.md").read_text() == text
    assert {p.name: p.read_bytes() for p in runs.parent.glob("*.svg")} == pictures


def test_without_the_drawing_library_nothing_is_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    made = CliRunner().invoke(main, ["--quick", "--output", str(tmp_path / "out")])
    assert made.exit_code == 2
    assert "the plots need matplotlib: pip install 'bnfold[models]'" in made.output
    assert not (tmp_path / "out").exists()


def test_the_committed_page_is_the_one_that_the_committed_runs_tell() -> None:
    folder = DOCS / page.FOLDER
    study = of_whole_seeds(FULL, rows.read(folder / "runs.csv"))
    machine = json.loads((folder / "machine.json").read_text())
    assert (DOCS / f"{page.FOLDER}.md").read_text() == page.page(study, machine)


def test_seeds_that_are_not_whole_are_left_out() -> None:
    known = outcomes(speeds)
    last = [cell for cell in known if cell.seed == 2][-1]
    del known[last]
    assert of_whole_seeds(GRID, known).grid.seeds == 2
    with pytest.raises(DataError, match="no seed has all of its runs yet"):
        of_whole_seeds(GRID, {})


def test_every_variant_has_a_name_of_its_own() -> None:
    assert len({variant.said for variant in VARIANTS}) == 6
