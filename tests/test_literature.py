"""The literature's scores: what the paper prints, what is known of it, and a user's own beside it."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clipsenet.cli.literature import literature as command
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.literature import Row, add_runs, comparisons, find_scorecards, own_rows, page
from clipsenet.scorecard import Card, Line, Scorecard, Section
from conftest import ROOT, SHARED

PAPER = SHARED / "paper" / "clip-senet.txt"
COMMAND = "clipsenet runs literature --to docs/literature.md"
SIZES = ("small", "medium", "large")
RERANKED = "k-reciprocal, k1=50, k2=15, original=0.5"

CARD = Card(
    benchmark="veri776",
    fingerprint="ca1453e2260b0940",
    copy="official",
    queries=1678,
    gallery=(11579,),
    without_match=0,
    junk="same vehicle in the same camera, and the same file",
    average_precision="step",
    trials=("query in gallery",),
    similarity=("cosine", RERANKED),
    labels_at_test="none",
    checkpoint="last, epoch 24",
    image_size="320 x 320, squashed, bicubic",
    embedding="after the BNNeck, 2048-d, unit length",
    run_id="5901888916ba7f8c",
)


LINES = (
    Line("mine", "cosine", "plain", "same-camera", False, 1678, {"mAP": 0.78749, "R1": 0.96, "R5": math.nan, "mINP": 0.4}),
    Line("mine", RERANKED, "k-reciprocal", "same-camera", True, 1678, {"mAP": 0.871, "R1": 0.97, "R5": 0.98}),
    Line("colour histogram", "cosine", "plain", "same-camera", False, 1678, {"mAP": 0.1, "R1": 0.2, "R5": 0.3}),
    Line("difference", "cosine", "plain", "same-camera", False, 1678, {"mAP": 0.7, "R1": 0.7, "R5": 0.7}),
)


def row(benchmark: str, method: str) -> Row:
    (found,) = [one for one in comparisons()[benchmark].rows if one.method == method]
    return found


def table_of_paper(first: str, last: str) -> dict[str, list[str]]:
    """The rows of one of the paper's tables: the method's name to its cells; a second CLIP-ReID is that of the ViT."""
    lines = PAPER.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(first))
    rows = {}
    for line in lines[start + 1 :]:
        name, *cells = [cell.strip() for cell in line.strip(" |").split("|")]
        bare = re.sub(r"\[.*|\u2217", "", name).strip()
        rows["CLIP-ReID (ViT)" if bare in rows else bare] = cells
        if bare == last:
            return rows
    raise AssertionError(f"no end of the table: {last}")


def test_every_figure_is_the_papers() -> None:
    if not PAPER.is_file():
        pytest.skip(f"no text of the paper at {PAPER}")
    wanted: dict[tuple[str, str, str], str] = {}
    venues = {}
    heads = [("veri776", score) for score in ("mAP", "R1", "R5")]
    heads += [(f"veriwild:{size}", score) for size in SIZES for score in ("mAP", "R1")]
    for method, cells in table_of_paper("mAP | Rank-1 | Rank-5 | mAP", "CLIP-SENet").items():
        venues[method] = "this paper" if len(cells) == len(heads) else cells[0]
        wanted |= {(method, *head): cell for head, cell in zip(heads, cells[-len(heads) :], strict=True)}
    heads = [(f"vehicleid:{size}", score) for size in SIZES for score in ("R1", "R5")]
    for method, cells in table_of_paper("R1 | R5 | R1", "CLIP-SENet").items():
        wanted |= {(method, *head): cell for head, cell in zip(heads, cells, strict=True)}
    found = {
        (one.method, benchmark, score): str(value)
        for benchmark, comparison in comparisons().items()
        for one in comparison.rows
        for score, value in one.scores.items()
    }
    assert found == {key: cell for key, cell in wanted.items() if cell != "-"}
    assert len(found) == 283
    for comparison in comparisons().values():
        for one in comparison.rows:
            assert one.venue == venues[one.method]


def test_each_benchmark_has_its_scores() -> None:
    assert {name: one.scores for name, one in comparisons().items()} == {
        "veri776": ("mAP", "R1", "R5"),
        **{f"vehicleid:{size}": ("R1", "R5") for size in SIZES},
        **{f"veriwild:{size}": ("mAP", "R1") for size in SIZES},
    }


def test_plain_re_ranked_and_not_known_are_told_apart() -> None:
    ours = row("veri776", "CLIP-SENet")
    assert ours.scores == {"mAP": 92.9, "R1": 98.7, "R5": 99.1}
    assert ours.reranked is True
    assert row("vehicleid:small", "CLIP-SENet").reranked is False
    assert row("veri776", "SAN").reranked is None
    assert row("veri776", "SAN").note == "as printed, not checked"
    copied = row("veri776", "StrongBaseline")
    assert (copied.reranked, copied.original, copied.plain_by_others) == (True, {"mAP": 87.1}, {"mAP": 78.7})
    assert copied.note.endswith("R1 as printed, not checked")
    other = row("veri776", "MBR")  # 91.9 is printed, and its authors report 85.63 plain
    assert (other.reranked, other.original["mAP"], other.original_reranked) == (None, 85.63, False)
    assert row("vehicleid:small", "MBR").reranked is None  # 88.3 is not 88.46 rounded


def test_the_page_is_what_the_code_generates() -> None:
    made = page(list(comparisons().values()), COMMAND)
    assert (ROOT / "docs" / "literature.md").read_text(encoding="utf-8") == made, f"run: {COMMAND}"
    assert "in percent with one decimal" in made
    assert r"ViT-B\*" in made


def test_a_runs_own_lines_stand_last_in_percent() -> None:
    rows = own_rows("runs/a", CARD, LINES)
    assert [(one.method, one.reranked) for one in rows] == [("runs/a: mine", False), ("runs/a: mine", True)]
    assert rows[0].scores == {"mAP": 78.7, "R1": 96.0, "mINP": 40.0}
    assert all(one.comparable for one in rows)
    for word in ("k1=50", "junk: same-camera", "copy: official", "last, epoch 24"):
        assert word in rows[1].note
    (found,) = add_runs({"veri776": comparisons()["veri776"]}, {"runs/a": {"veri776": rows, "toy": rows}}).values()
    plain, reranked = found.texts()[-2:]
    assert plain[2:4] == ("78.7 / 96.0 / -", "plain")
    assert reranked[2:4] == ("87.1 / 97.0 / 98.0", "re-ranked")
    assert found.title()[2].startswith("printed, or yours")
    assert comparisons()["veri776"].rows == found.rows[:-2]


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (replace(CARD, copy="modified (query)"), "not the official copy"),
        (replace(CARD, notes=("TRAINED ON 9 of the 99 tested pictures",)), "TRAINED ON 9"),
    ],
)
def test_what_cannot_be_compared_says_so(card: Card, reason: str) -> None:
    for one in own_rows("runs/a", card, LINES):
        assert one.comparable is False
        assert one.note.startswith(f"NOT COMPARABLE: {reason}")
        assert f"copy: {card.copy}" in one.note


def test_an_older_release_and_several_trials_are_named() -> None:
    card = replace(CARD, copy="older release: train", trials=("draw 1", "draw 2"))
    for one in own_rows("runs/a", card, LINES):
        assert one.comparable is True
        assert "copy: older release: train" in one.note
        assert one.note.endswith("mean of 2 trials")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"copy": "official, modified"}, "not the official copy"),
        ({"average_precision": "trapezoid"}, "AP by the trapezoid rule"),
        ({"benchmark": "vehicleid:small", "trials": ("draw 1",)}, "1 draws, usual are 10"),
        ({"notes": ("SWAPPED: the drawn pictures ask",)}, "SWAPPED"),
        ({"notes": ("3 test pictures LEFT OUT as broken",)}, "LEFT OUT"),
        ({"notes": ("NO CAMERA is known for 3 of 4 test pictures",)}, "NO CAMERA"),
    ],
)
def test_what_may_not_stand_beside_the_literature_says_why(change: dict[str, Any], reason: str) -> None:
    for one in own_rows("runs/a", replace(CARD, **change), LINES):
        assert one.comparable is False
        assert f"NOT COMPARABLE: {reason}" in one.note or reason in one.note


def test_another_junk_rule_is_not_comparable() -> None:
    lines = (LINES[0], replace(LINES[0], junk="same-file"))
    assert [one.comparable for one in own_rows("runs/a", CARD, lines)] == [True, False]


def test_scorecards_are_found_in_a_run(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match="evaluate"):
        find_scorecards(tmp_path)
    for name in ("b", "a"):
        Scorecard(replace(CARD, benchmark=name), ()).save(tmp_path / "scorecards" / name)
    assert [one.card.benchmark for one in find_scorecards(tmp_path)] == ["a", "b"]


def test_a_run_without_this_benchmark_is_refused() -> None:
    with pytest.raises(ClipsenetError, match=r"runs/a has scorecards of toy only, wanted one of .*evaluate runs/a"):
        add_runs(comparisons(), {"runs/a": {"toy": own_rows("runs/a", CARD, LINES)}})


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(command)
    return made


def shown(monkeypatch: pytest.MonkeyPatch, app: typer.Typer, *words: str) -> str:
    """What the command prints on a page of 160 columns."""
    from clipsenet import console

    text = io.StringIO()
    monkeypatch.setattr(console, "out", console.Console(file=text, highlight=False, soft_wrap=True, width=console.WIDTH))
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    return text.getvalue() + result.output


def test_the_command_prints_a_row_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: typer.Typer) -> None:
    monkeypatch.chdir(tmp_path)
    for run in ("a", "b"):
        Scorecard(CARD, (Section("all", 1678, LINES),)).save(tmp_path / "runs" / run / "scorecards" / "veri776-last")
    text = shown(monkeypatch, app, "veri776", "--run", "runs/a", "--run", "runs/b")
    assert max(map(len, text.splitlines())) <= 180
    for method in (one.method for one in comparisons()["veri776"].rows):
        assert method in text
    assert text.count("runs/a: mine") == text.count("runs/b: mine") == 2
    assert "vehicleid" not in text


def test_without_a_benchmark_all_are_printed(monkeypatch: pytest.MonkeyPatch, app: typer.Typer) -> None:
    text = shown(monkeypatch, app)
    assert all(name in text for name in comparisons())


def test_json_is_the_same(monkeypatch: pytest.MonkeyPatch, app: typer.Typer) -> None:
    values = json.loads(shown(monkeypatch, app, "veriwild:large", "--json"))
    assert [one["benchmark"] for one in values] == ["veriwild:large"]
    assert len(values[0]["rows"]) == len(comparisons()["veriwild:large"].rows)
    assert values[0]["rows"][-1]["scores"] == {"mAP": 79.5, "R1": 95.4}
    assert values[0]["rows"][-1]["reranked"] is False
    assert values[0]["rows"][0]["reranked"] is None


def test_a_page_names_its_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: typer.Typer) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(monkeypatch, app, "--to", "docs/literature.md") == "saved in docs/literature.md\n"
    assert (tmp_path / "docs/literature.md").read_text() == page(list(comparisons().values()), COMMAND)
    shown(monkeypatch, app, "veri776", "--to", "a page.md")
    assert "`clipsenet runs literature veri776 --to 'a page.md'`" in (tmp_path / "a page.md").read_text()


def test_an_unknown_benchmark_names_the_choices(app: typer.Typer) -> None:
    with pytest.raises(UsageError, match=r"unknown benchmark 'veri': choose from vehicleid:large, .*veri776"):
        CliRunner().invoke(app, ["veri"], catch_exceptions=False)


def test_the_file_has_its_columns() -> None:
    text = (ROOT / "src" / "clipsenet" / "literature.csv").read_text(encoding="utf-8")
    head = "method,venue,benchmark,score,printed,original,original_reranked,plain_by_others,note"
    assert text.splitlines()[0] == head
    lines = list(csv.DictReader(text.splitlines()))
    assert len({(one["method"], one["benchmark"], one["score"]) for one in lines}) == len(lines)
    assert {one["original_reranked"] for one in lines} == {"", "yes", "no"}
    for one in lines:
        assert bool(one["original"]) == bool(one["original_reranked"]) == (one["note"] != "as printed, not checked")
