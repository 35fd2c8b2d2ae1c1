"""The paper's studies: rows, cells, resuming, tables."""

import json
import math
import shlex
from pathlib import Path

import pytest

from clipsenet.ablation import make_ablation, run_cells
from clipsenet.claims import claimed
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.models import describe_settings, resolved
from clipsenet.models.clip_senet import ClipSenetSettings
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe, load_recipe, own_recipes
from clipsenet.reporting import Reporter
from clipsenet.runs import Run
from clipsenet.studies import STUDIES, find_study
from clipsenet.study_results import as_values, collect, page, texts
from conftest import ROOT, tiny_recipe
from test_stepping import SMALL

CHAIN = "evaluation.similarities=['k-reciprocal:k1=4,k2=2,original=0.3']"


def small(*assignments: str) -> Recipe:
    return tiny_recipe(*SMALL, "schedule.epochs=1", "model.places=null", CHAIN, *assignments)


class Counting(Reporter):
    trained = 0

    def begin(self, text: str, epochs: int, steps: int, epochs_done: int) -> None:
        Counting.trained += 1


def whole_networks() -> list[str]:
    """Our recipes that a study may take as its base."""
    models = {name: load_recipe(name).model for name in own_recipes()}
    return [
        name
        for name, model in models.items()
        if isinstance(model, ClipSenetSettings) and None not in (model.appearance, model.semantics, model.afem)
    ]


@pytest.mark.parametrize("base", whole_networks())
@pytest.mark.parametrize("name", list(STUDIES))
def test_every_row_of_every_study_is_a_recipe_that_differs(name: str, base: str) -> None:
    recipe = load_recipe(base)
    ablation = make_ablation(find_study(name), recipe, (), 2, Path("nowhere"))
    recipes = {cell.row.name: cell.recipe for cell in ablation.cells() if cell.seed == recipe.seed}
    assert len({one.model_copy(update={"name": ""}).to_yaml() for one in recipes.values()}) == len(recipes)
    assert {cell.seed for cell in ablation.cells()} == {recipe.seed, recipe.seed + 1}
    assert len({cell.folder for cell in ablation.cells()}) == 2 * len(recipes)
    epochs = tuple(one for one in (8, 12, 16, 20, 24) if name == "losses" and one <= recipe.schedule.epochs)
    for cell in ablation.cells():
        assert cell.recipe.training.keep_epochs == epochs
        assert cell.checkpoints == (tuple(f"epoch-{epoch}" for epoch in epochs) or ("last",))
    for row, one in recipes.items():
        if one.model.as_clip_senet().semantics is not None:
            assert one.optimiser == recipe.optimiser
        if row != "tinyclip":  # which has its own statistics
            assert one.images == recipe.images


def test_a_branch_that_a_row_takes_away_learns_at_no_rate() -> None:
    cells = make_ablation(find_study("components"), load_recipe("veri776-strong"), (), 1, Path("x")).cells()
    for cell in cells:
        has = cell.recipe.model.as_clip_senet().semantics is not None
        assert ("semantics" in cell.recipe.optimiser.branches) is has, cell.row.name


def test_the_papers_numbers_are_those_of_its_tables() -> None:
    components = {row.name: row.paper for row in find_study("components").rows}
    assert components["sem-afem-cv"] == (92.9, 98.7, 99.1)
    assert components["baseline"] == (86.7, 96.8, 97.9)
    assert components["tinyclip"] is None
    best = [max(row.paper[0] for row in STUDIES[name].rows if row.paper) for name in ("groups", "trunks")]
    assert best == [92.9, 92.9]


def test_random_trunks_stay_random() -> None:
    base = load_recipe("veri776", ["model.appearance.weights=null"])
    for cell in make_ablation(find_study("trunks"), base, (), 1, Path("x")).cells():
        assert cell.recipe.model.as_clip_senet().appearance.weights is None
    named = make_ablation(find_study("trunks"), load_recipe("veri776"), (), 1, Path("x")).cells()
    assert str(named[0].recipe.model.as_clip_senet().appearance.weights) == "resnet50_ibn_a-d9d0bb7b.pth"


def test_a_base_that_is_no_whole_network_and_a_row_that_is_none_are_refused() -> None:
    with pytest.raises(UsageError, match="toy is no whole CLIP-SENet"):
        make_ablation(find_study("components"), tiny_recipe(), (), 1, Path("x"))
    with pytest.raises(UsageError, match="no row 'afem': choose from baseline, sem"):
        make_ablation(find_study("components"), small(), ("afem",), 1, Path("x"))
    with pytest.raises(UsageError, match="unknown study 'tables'"):
        find_study("tables")


@pytest.mark.slow
def test_a_study_trains_each_cell_once_and_goes_on(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    ablation = make_ablation(find_study("components"), small(), ("baseline", "sem"), 2, tmp_path / "study")
    Counting.trained = 0
    busy = ablation.cells()[3].folder.with_name("seed-1.claim")
    with claimed(busy):
        left = run_cells(ablation, toy_benchmark, "cpu", lambda cell: Counting())
    assert Counting.trained == 3
    assert left == [f"sem seed 1 ({left[0].partition('(')[2]}"]
    partial = collect(ablation)
    assert not partial.complete
    assert "**Not complete**: 3 of 4 trainings" in page(partial, "command", "x.png")
    # one that was trained, but not scored yet, is only scored
    (ablation.cells()[0].scorecard("last") / "scorecard.json").unlink()
    assert run_cells(ablation, toy_benchmark, "cpu", lambda cell: Counting()) == []
    assert Counting.trained == 4
    findings = collect(ablation)
    assert findings.complete
    assert [(one.row.name, one.similarity) for one in findings.results] == [
        ("baseline", "plain"),
        ("baseline", "k-reciprocal 4/2/0.3"),
        ("sem", "plain"),
        ("sem", "k-reciprocal 4/2/0.3"),
    ]
    first = findings.results[0]
    values = [scores["mAP"] for scores in first.of_seed.values()]
    assert first.mean("mAP") == pytest.approx(sum(values) / 2)
    assert first.deviation("mAP") == pytest.approx(abs(values[0] - values[1]) / math.sqrt(2))
    assert len({run.id for run in (Run.open(cell.folder) for cell in ablation.cells())}) == 4
    assert texts(findings)[1][-1] == "86.7 / 96.8 / 97.9"
    assert texts(findings)[0][-1] == "", "the paper's are re-ranked: none stands beside a plain score"
    assert json.loads(json.dumps(as_values(findings)))["complete"] is True
    other = make_ablation(find_study("components"), small("sampler.pictures=3"), ("baseline",), 1, tmp_path / "study")
    with pytest.raises(ClipsenetError, match=r"holds a study with another recipe.sampler.pictures"):
        run_cells(other, toy_benchmark, "cpu", lambda cell: Counting())


@pytest.mark.slow
def test_the_ablate_command_writes_table_and_figure(run, toy_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    recipe = tmp_path / "base.yaml"
    recipe.write_text(small("schedule.epochs=2").to_yaml())
    words = ["ablate", "losses", "--data", toy_folder, "--base", recipe, "--to", tmp_path / "study", "--device", "cpu"]
    words += ["--rows", "baseline-supcon,baseline-triplet"]
    words += ["--threads", "1"]
    refused = run(*words, "--set", "schedule.epochs=9", "--print")
    assert refused.code == 1
    assert "nothing of this study is scored yet" in refused.err
    assert not (tmp_path / "study").exists()
    short = [*words, "--set", "schedule.epochs=8"]
    made_words = ["ablate", "losses", "--data", toy_folder, "--base", recipe, "--seeds", 1]
    made_words += ["--rows", "baseline-supcon,baseline-triplet", "--to", tmp_path / "study", "--device", "cpu"]
    made_words += ["--threads", "1", "--set", "schedule.epochs=8"]
    first = run(*short, "--json")
    assert first.code == 0, first.err
    values = json.loads(first.out)
    assert {one["checkpoint"] for one in values["results"]} == {"epoch-8"}
    assert (tmp_path / "study" / "losses.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "study" / "losses.md").read_text()
    assert "baseline, triplet | epoch-8 | plain | 1 |" in text
    made_by = text.partition("Made by `")[2].partition("`")[0]
    assert shlex.split(made_by) == ["clipsenet", *map(str, made_words)]
    cell = tmp_path / "study" / "baseline-triplet" / "seed-0"
    for checkpoint in ("epoch-8", "last"):
        scored = run("evaluate", cell, "--data", toy_folder, "--checkpoint", checkpoint, "--similarity", "cosine")
        assert scored.code == 0, scored.err
        assert f"{checkpoint}, epoch 8" in scored.out
    missing = run("evaluate", cell, "--data", toy_folder, "--checkpoint", "epoch-7")
    assert missing.code == 1
    assert "no checkpoint 'epoch-7' (it was not kept: training.keep_epochs); found best, epoch-8, last" in missing.err
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*")}
    again = run(*short, "--print")
    assert again.code == 0, again.err
    assert "baseline, triplet" in again.out
    assert "written" not in again.out
    other = run(*short, "--set", "optimiser.rate=0.5", "--print")
    assert other.code == 1
    assert "holds a study with another recipe.optimiser.rate; give another folder" in other.err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*")} == before
    listed = run("list", "studies")
    assert all(name in listed.out for name in STUDIES)


@pytest.mark.slow
def test_a_base_shorter_than_a_study_over_epochs_is_scored_at_its_end(run, toy_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    recipe, folder = tmp_path / "base.yaml", tmp_path / "a study"
    recipe.write_text(small().to_yaml())
    words = ["ablate", "losses", "--data", toy_folder, "--base", recipe, "--to", folder, "--device", "cpu"]
    made = run(*words, "--rows", "baseline-supcon")
    assert made.code == 0, made.err
    assert (folder / "losses.png").read_bytes().startswith(b"\x89PNG")
    text = (folder / "losses.md").read_text()
    assert "| baseline, SupCon | plain | 1 |" in text
    assert f"--to '{folder}'" in text, "a command that a shell understands"


@pytest.mark.slow
def test_another_evaluation_is_another_study_and_other_workers_are_not(toy_benchmark: Benchmark, tmp_path: Path) -> None:
    study, rows = find_study("components"), ("baseline",)
    run_cells(make_ablation(study, small(), rows, 1, tmp_path), toy_benchmark, "cpu", lambda cell: Counting())
    Counting.trained = 0
    again = make_ablation(study, small("training.workers=1"), rows, 1, tmp_path)
    assert run_cells(again, toy_benchmark, "cpu", lambda cell: Counting()) == []
    assert Counting.trained == 0
    for change, named in (("evaluation.similarities=[]", "recipe.evaluation"), ("training.ema=0.9", "recipe.training.ema")):
        other = make_ablation(study, small(change), rows, 1, tmp_path)
        with pytest.raises(ClipsenetError, match=f"holds a study with another {named}; give another folder"):
            run_cells(other, toy_benchmark, "cpu", lambda cell: Counting())


def test_what_a_row_is_called_is_what_it_is(toy_benchmark: Benchmark) -> None:
    base = load_recipe(ROOT / "recipes" / "drawn-ablation.yaml")
    for cell in make_ablation(find_study("components"), base, (), 1, Path("x")).cells():
        if "cv" not in cell.row.name:
            words = describe_settings(resolved(cell.recipe.model, toy_benchmark.train))
            assert ("AFEM" in words) == ("afem" in cell.row.name)
            assert ("tinyclip" in words) == (cell.row.name not in ("baseline",))
            assert "rows" not in words
