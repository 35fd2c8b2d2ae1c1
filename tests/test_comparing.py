import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsenet.comparing import compare, differences
from clipsenet.errors import ClipsenetError
from clipsenet.evaluation import evaluate
from clipsenet.protocol import Benchmark
from clipsenet.queries import pictures_of
from clipsenet.recipe import EvaluationSettings
from clipsenet.runs import Run
from clipsenet.scorecard import Scorecard
from clipsenet.sightings import Sightings
from clipsenet.training import train
from conftest import tiny_recipe

RERANKED = "k-reciprocal:k1=5,k2=2,original=0.3"
WANTED = EvaluationSettings(similarities=(RERANKED,))


@pytest.fixture(scope="module")
def second(toy_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("second") / "run"
    return train(tiny_recipe("seed=5", "name=second"), toy_benchmark, folder, device="cpu")


@pytest.fixture(scope="module")
def cards(toy_run: Run, second: Run, toy_benchmark: Benchmark) -> tuple[Scorecard, Scorecard]:
    return evaluate(toy_run, toy_benchmark, WANTED), evaluate(second, toy_benchmark, WANTED)


def test_two_runs_by_every_similarity_that_both_have(cards: tuple[Scorecard, Scorecard]) -> None:
    a, b = cards
    plain, reranked = compare(a, b, draws=200)
    assert (plain.similarity, reranked.similarity) == (("cosine",), (RERANKED,))
    assert plain.differs == ()
    of_a, of_b, difference = plain.scores["mAP"]
    assert (of_a, of_b) == (pytest.approx(a.scores["mAP"]), pytest.approx(b.scores["mAP"]))
    assert difference == pytest.approx(of_b - of_a)
    low, high = plain.interval["mAP"]
    assert low <= difference <= high
    assert plain.queries == a.sections[0].queries


def test_rescued_and_broken_queries_make_up_the_difference(cards: tuple[Scorecard, Scorecard]) -> None:
    plain = compare(*cards, draws=100)[0]
    turned = len(plain.rescued) - len(plain.broken)
    assert turned == round(plain.queries * plain.scores["R1"][2])
    assert len(plain.rescued) + len(plain.broken) > 0, "two runs that agree on everything test nothing"
    for query in plain.rescued:
        assert query.places[0] > 1
        assert query.places[1] == 1
    assert [query.places[0] for query in plain.rescued] == sorted((one.places[0] for one in plain.rescued), reverse=True)
    back = compare(cards[1], cards[0], draws=100)[0]
    assert {one.picture for one in back.broken} == {one.picture for one in plain.rescued}
    assert (back.better, back.worse) == (plain.worse, plain.better)


def test_a_run_against_itself_differs_by_nothing(cards: tuple[Scorecard, Scorecard]) -> None:
    for one in compare(cards[0], cards[0], draws=100):
        assert one.interval["mAP"] == (0.0, 0.0)
        assert (one.rescued, one.broken, one.better, one.worse) == ((), (), 0, 0)


def test_other_protocols_are_refused_unless_asked_for(
    toy_run: Run, toy_benchmark: Benchmark, cards: tuple[Scorecard, Scorecard]
) -> None:
    loose = replace(toy_benchmark, protocol=toy_benchmark.protocol.model_copy(update={"junk": "same-file"}))
    other = evaluate(toy_run, loose, WANTED)
    assert differences(cards[0], other)[0].startswith("junk 'same vehicle in the same camera, and the same file' against")
    with pytest.raises(ClipsenetError, match="different protocols, so the scores mean different things: junk"):
        compare(cards[0], other)
    (found,) = compare(cards[0], other, draws=100, despite_protocol=True)
    assert found.differs
    assert found.junk == ("same-camera", "same-file")
    assert found.scores["mAP"][2] != 0


def test_no_similarity_in_common(toy_run: Run, toy_benchmark: Benchmark, cards: tuple[Scorecard, Scorecard]) -> None:
    only = replace(cards[0], sections=(replace(cards[0].sections[0], lines=cards[0].sections[0].lines[1:2]),))
    plain = evaluate(toy_run, toy_benchmark, EvaluationSettings(reference="none"))
    with pytest.raises(ClipsenetError, match="no similarity and junk rule in common: the first has k-reciprocal"):
        compare(only, plain)
    (found,) = compare(only, plain, draws=100, despite_protocol=True)
    assert found.similarity == (RERANKED, "cosine")


def test_other_queries_are_refused(cards: tuple[Scorecard, Scorecard]) -> None:
    a, b = cards
    assert b.queries is not None
    fewer = replace(b, queries=b.queries.slice(1))
    with pytest.raises(ClipsenetError, match="not asked the same queries"):
        compare(a, fewer)
    with pytest.raises(ClipsenetError, match=r"no queries\.parquet beside"):
        compare(a, replace(b, queries=None))


def test_pictures_of_the_same_name_in_several_folders_are_told_apart(tmp_path: Path) -> None:
    files = Sightings.of([str(tmp_path / f"cam{c}" / "car" / f"{i}.png") for c in (1, 2) for i in range(3)])
    assert pictures_of(files).tolist() == [f"cam{c}/car/{i}.png" for c in (1, 2) for i in range(3)]
    frames = Sightings.of(["a/f.png", "a/f.png"], box=[[0, 0, 4, 4], [-1, -1, -1, -1]])
    assert pictures_of(frames).tolist() == ["f.png 0,0,4,4", "f.png"]


def test_a_picture_twice_in_a_trial_is_refused(cards: tuple[Scorecard, Scorecard]) -> None:
    a, b = cards
    assert b.queries is not None
    names = b.queries["picture"].to_pylist()
    twice = b.queries.set_column(b.queries.schema.get_field_index("picture"), "picture", [[names[0]] * len(names)])
    with pytest.raises(ClipsenetError, match="a picture stands twice among the queries"):
        compare(a, replace(b, queries=twice))


def test_other_labels_of_the_same_pictures_are_refused(cards: tuple[Scorecard, Scorecard]) -> None:
    a, b = cards
    assert b.queries is not None
    index = b.queries.schema.get_field_index("vehicle")
    renamed = replace(b, queries=b.queries.set_column(index, "vehicle", [["one"] * len(b.queries)]))
    for pair in ((a, renamed), (renamed, a)):
        with pytest.raises(ClipsenetError, match="the same pictures have another vehicle in the two evaluations"):
            compare(*pair, draws=100)
        assert "another vehicle" in compare(*pair, draws=100, despite_protocol=True)[0].differs[0]


def test_of_run_folders_a_fusion_is_never_taken_by_itself(run, cards: tuple[Scorecard, Scorecard], tmp_path: Path) -> None:
    a, b = cards
    a.save(tmp_path / "a" / "scorecards" / "toy-last-1")
    b.save(tmp_path / "b" / "scorecards" / "toy-last-1")
    fused = replace(b, card=replace(b.card, run_id=f"0.7 {b.card.run_id} + 0.3 {a.card.run_id}"))
    fused.save(tmp_path / "b" / "scorecards" / "toy-last-2")  # the newest
    printed = run("runs", "compare", tmp_path / "a", tmp_path / "b", "--json", "--draws", "100")
    assert json.loads(printed.out)["b"].endswith("toy-last-1")
    named = run("runs", "compare", tmp_path / "a", tmp_path / "b" / "scorecards" / "toy-last-2" / "scorecard.json")
    assert named.code == 0
    assert f"run 0.7 {b.card.run_id} + 0.3" in named.out
    fused.save(tmp_path / "c" / "scorecards" / "toy-last-2")
    assert "fused runs or of a run without a branch only" in run("runs", "compare", tmp_path / "a", tmp_path / "c").err


def test_the_command(run, cards: tuple[Scorecard, Scorecard], tmp_path: Path) -> None:
    for name, card in zip("ab", cards, strict=True):
        card.save(tmp_path / name / "scorecards" / "toy-last")
    printed = run("runs", "compare", tmp_path / "a", tmp_path / "b", "--draws", "200")
    assert printed.code == 0
    for text in ("rescued by b", "broken by b", "b - a", "paired, over vehicles", "toy (drawn)", RERANKED):
        assert text in printed.out
    values = json.loads(run("runs", "compare", tmp_path / "a", tmp_path / "b", "--json").out)
    assert values["comparisons"][0]["scores"]["mAP"][0] == pytest.approx(cards[0].scores["mAP"])
    assert np.isfinite(values["comparisons"][0]["interval"]["mAP"]).all()
    nothing = run("runs", "compare", tmp_path / "a", tmp_path / "c")
    assert nothing.code == 1
    assert "has no scorecard: clipsenet evaluate" in nothing.err
