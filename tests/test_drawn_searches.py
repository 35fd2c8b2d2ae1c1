"""Searches of drawn galleries against slow loops; folds that never meet."""

from dataclasses import replace

import numpy as np
import pytest

from calibrating_cases import BEHIND, GAP, QUALITY, SHARPNESS, SIMILARITY, SIZE, drawn_features
from clipsenet.calibrating import asked as asking
from clipsenet.calibrating import nested
from clipsenet.calibrating import searches as searching
from clipsenet.calibrating.asked import Asked
from clipsenet.calibrating.evidence import FIRST, evidence_of, track_numbers
from clipsenet.calibrating.examples import Examples, Lessons
from clipsenet.calibrating.goals import parse_goal
from clipsenet.calibrating.nested import judge_nested
from clipsenet.calibrating.searches import LATER, STRANGERS, largest_size, search_drawn, sizes_up_to
from clipsenet.chain import PLAIN, Chain
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.protocol import JunkRule
from clipsenet.sightings import Sightings
from clipsenet.trials import all_against_all

RERANKED = "k-reciprocal:k1=4,k2=2,original=0.3"


def searched(
    features: Features,
    sizes: list[int],
    shares: tuple[float, ...],
    *,
    junk: JunkRule = "same-camera",
    chain: str = "cosine",
    seed: int = 0,
) -> Lessons:
    quality = np.linspace(0.1, 1, len(features), dtype=np.float32)
    return search_drawn(features, features, quality, junk, Chain.parse(chain), sizes, shares=shares, seed=seed)


@pytest.mark.parametrize("chain", ["cosine", RERANKED])
def test_drawn_searches_hold_exactly_their_size_and_tell_the_truth(chain: str) -> None:
    features = drawn_features(12, 4)
    found = searched(features, [2, 20, 40], (0.0, 0.5, 1.0), chain=chain).first
    assert len(found) == 48 * 9
    assert np.exp(found.evidence[:, SIZE]).round().astype(int).tolist() == found.size.tolist()
    by_share = found.present.reshape(48, 3, 3)  # queries, sizes, shares
    assert not by_share[:, :, 2].any()
    assert by_share[:, 2, 0].mean() > 0.9  # 40 of 46 pictures: both of its own are rarely missed
    assert 0.3 < by_share[:, 2, 1].mean() < 0.7
    assert not (found.right & ~found.present).any()
    assert pytest.approx(np.tile(np.linspace(0.1, 1, 48), (9, 1))) == found.evidence[:, QUALITY].reshape(48, 9).T
    assert (found.evidence[:, BEHIND] == 0).all()
    if chain != "cosine":
        return
    again = searched(features, [2, 20, 40], (0.0, 0.5, 1.0), chain=chain).first
    assert np.array_equal(again.evidence, found.evidence, equal_nan=True)
    other = searched(features, [2, 20, 40], (0.0, 0.5, 1.0), chain=chain, seed=1).first
    assert not np.array_equal(other.evidence, found.evidence, equal_nan=True)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int]]]:
    """Who asks, and the rows of the gallery, of every search that is made from now on."""
    seen: list[tuple[int, list[int]]] = []
    search = searching._Found.search

    def spy(self: object, row: int, cosines: np.ndarray, some: np.ndarray, is_match: np.ndarray) -> None:
        seen.append((row, sorted(some.tolist())))
        search(self, row, cosines, some, is_match)  # type: ignore[arg-type]

    monkeypatch.setattr(searching._Found, "search", spy)
    return seen


def test_a_gallery_is_searched_as_a_slow_loop_does(monkeypatch: pytest.MonkeyPatch) -> None:
    features = drawn_features(30, 4, seed=2)
    sightings, quality = features.sightings, np.linspace(0.1, 1, 120, dtype=np.float32).tolist()
    seen = spied(monkeypatch)
    found = searched(features, [30, 110], (0.0, 0.5))
    assert len(seen) == len(found.first) == 480
    track = track_numbers(sightings)
    vehicle, camera = sightings.column("vehicle"), sightings.column("camera")
    later = 0
    for number, (row, rows) in enumerate(seen):
        size = [30, 30, 110, 110][number % 4]
        assert len(rows) == size
        assert not [other for other in rows if vehicle[other] == vehicle[row] and camera[other] == camera[row]]  # junk
        cosines = features.embeddings[rows] @ features.embeddings[row]
        order = np.argsort(-cosines, kind="stable")[:FIRST]
        first, tracks = cosines[order].astype(float), track[np.array(rows)[order]]
        is_right = [vehicle[rows[place]] == vehicle[row] for place in order]
        assert found.first.evidence[number] == pytest.approx(evidence_of(first, tracks, size, quality[row]), abs=1e-5)
        assert found.first.right[number] == is_right[0]
        assert found.first.present[number] == (vehicle[row] in vehicle[rows])
        assert found.first.vehicle[number] == vehicle[row]
        places = [place for place in range(len(order)) if tracks[place] != tracks[0]][:LATER]  # of other tracks than the first
        for place in places:
            wanted = evidence_of(first, tracks, size, quality[row], place)
            assert found.later.evidence[later] == pytest.approx(wanted, abs=1e-5)
            assert found.later.right[later] == is_right[place]
            assert found.later.present[later] == found.first.present[number]
            assert found.search[later] == number
            later += 1
    assert later == len(found.later) == 480 * LATER
    assert (found.later.evidence[:, BEHIND] > 0).all()
    assert found.later.right.any()


def test_a_re_ranked_gallery_is_searched_one_query_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    features = drawn_features(10, 4, seed=2)
    seen = spied(monkeypatch)
    found = searched(features, [20], (0.0,), chain=RERANKED).first
    track, vehicle = track_numbers(features.sightings), features.sightings.vehicle.numbers
    for number, (row, rows) in enumerate(seen):
        ((_, (values,)),) = Chain.parse(RERANKED).alone().blocks(features[np.array([row])], features[np.array(rows)])
        is_match = vehicle[rows] == vehicle[row]
        order = np.lexsort((is_match, -values))
        wanted = evidence_of(values[order].astype(float), track[rows][order], 20, float(np.linspace(0.1, 1, 40)[row]))
        assert found.evidence[number] == pytest.approx(wanted, abs=1e-5)
        assert found.right[number] == is_match[order[0]]


@pytest.mark.parametrize("chain", ["cosine", RERANKED])
def test_each_query_is_compared_with_one_picture_of_its_own_vehicle_and_some_of_others(chain: str) -> None:
    features = drawn_features(10, 4, seed=2)
    pairs = searched(features, [20], (0.5,), chain=chain).pairs
    assert len(pairs) == 40 * (1 + STRANGERS)
    assert pairs.right.reshape(40, 1 + STRANGERS).tolist() == [[True] + [False] * STRANGERS] * 40
    assert (pairs.present == pairs.right).all()
    assert (pairs.size == 1).all()
    assert np.isnan(pairs.evidence[:, [GAP, SHARPNESS]]).all()
    assert (pairs.evidence[:, [SIZE, BEHIND]] == 0).all()
    sightings, cosines = features.sightings, features.embeddings @ features.embeddings.T
    if chain != "cosine":  # with one picture at a time
        alone = Chain.parse(chain).alone()
        pairs_ = [(features[np.array([a])], features[np.array([b])]) for a in range(40) for b in range(40)]
        cosines = np.array([next(iter(alone.blocks(*pair)))[1][0, 0] for pair in pairs_]).reshape(40, 40)
    vehicle, camera = sightings.vehicle.numbers, sightings.camera.numbers
    for row in range(40):
        alike, *strange = pairs.evidence[4 * row : 4 * row + 4, SIMILARITY]
        mine = cosines[row][(vehicle == vehicle[row]) & (camera != camera[row])]  # its own passage is junk
        assert np.abs(mine - alike).min() < 1e-6
        others = cosines[row][vehicle != vehicle[row]]
        places = [int(np.abs(others - one).argmin()) for one in strange]
        assert others[places] == pytest.approx(strange, abs=1e-6)
        assert chain != "cosine" or len(set(places)) == STRANGERS  # re-ranked, all galleries of one are alike


def test_a_vehicle_that_was_seen_once_makes_pairs_of_two_vehicles_only() -> None:
    features = drawn_features(10, 1)
    pairs = searched(features, [5], (0.5,)).pairs
    assert len(pairs) == 10 * STRANGERS
    assert not pairs.right.any()


def test_each_query_meets_a_gallery_of_its_own_of_many_vehicles_or_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    features = drawn_features(20, 6)
    vehicle = features.sightings.vehicle.numbers
    seen = spied(monkeypatch)
    searched(features, [24], (0.0, 0.0), junk="same-file")
    assert len(seen) == 240
    assert len({tuple(rows) for _, rows in seen}) == 240
    vehicles = np.array([len(set(vehicle[rows].tolist())) for _, rows in seen])
    by_vehicle = vehicles <= 5  # four whole vehicles fill it, five where the query's own is among them
    assert 0.35 < by_vehicle.mean() < 0.65
    assert (vehicles[~by_vehicle] >= 9).all()
    times = np.bincount(np.concatenate([rows for _, rows in seen]), minlength=120)
    assert times.min() > 0.5 * times.mean()  # and everybody is a stranger to somebody
    searched(features, [24], (0.0, 0.0), junk="same-file", seed=1)
    assert sum(one == other for one, other in zip(seen[:240], seen[240:], strict=True)) < 3


def test_a_constant_embedding_is_never_right() -> None:
    features = drawn_features(6, 4)
    flat = Features(features.sightings, np.tile(features.embeddings[:1], (24, 1)), features.run_id)
    found = searched(flat, [20], (0.0,), junk="same-file").first
    assert found.present.all()
    assert not found.right.any()


def test_who_is_unknown_asks_nothing() -> None:
    features = drawn_features(6, 4)
    names = features.sightings.column("vehicle").tolist()
    some = Sightings.of(
        features.sightings.files(), vehicle=["", *names[1:]], camera=features.sightings.column("camera").tolist()
    )
    found = searched(replace(features, sightings=some), [10], (0.5,))
    assert len(found.first) == 23
    nobody = replace(features, sightings=Sightings.of(features.sightings.files()))
    with pytest.raises(ClipsenetError, match="the vehicle of none of 24 queries is known"):
        searched(nobody, [10], (0.5,))


def test_sizes_go_up_in_even_steps() -> None:
    assert sizes_up_to(4000) == [100, 251, 632, 1591, 4000]
    assert sizes_up_to(8) == [2, 4, 8]
    assert sizes_up_to(2) == [2]
    with pytest.raises(ClipsenetError, match="finds 1 pictures of other vehicles"):
        sizes_up_to(1)


def test_sizes_that_not_every_query_can_be_asked_of_are_refused() -> None:
    features = drawn_features(12, 4)
    assert largest_size(features, features, "same-camera") == 44  # its two of the other camera, itself and the other of its own
    assert len(searched(features, [2, 44], (1.0,)).first) == 96
    for sizes, said in (([20, 45, 60], "galleries of 45, 60"), ([1, 20], "galleries of 1")):
        with pytest.raises(ClipsenetError, match=rf"{said}: every query can be asked of 2 to 44 of these 48 pictures"):
            searched(features, sizes, (0.5,))
    with pytest.raises(ClipsenetError, match="a query finds 0 pictures of other vehicles, wanted 2 or more"):
        searched(drawn_features(1, 4), [2], (0.5,))


def of(features: Features) -> Asked:
    n = len(features)
    digests = np.array([f"{row:016x}" for row in range(n)])
    quality = np.full(n, 0.5, dtype=np.float32)
    return Asked("made up", features, quality, digests, all_against_all(features.sightings), "same-camera")


def test_some_rows_ask_and_are_asked_of_among_themselves_only() -> None:
    asked = of(drawn_features(10, 4))
    rows = asked.features.sightings.vehicle.numbers < 3
    part = asked.of(rows)
    for trial in part.trials:
        assert rows[trial.query].all()
        assert rows[trial.gallery].all()
    assert part.largest == 8
    source = part.source(PLAIN, rows)
    assert source.pictures == tuple(sorted(asked.digests[rows].tolist()))
    assert (len(source.named), source.queries, source.tracks, source.similarity) == (3, 12, True, "cosine")
    assert asked.source(PLAIN).queries == 40
    with pytest.raises(ClipsenetError, match="take fewer --folds"):
        asked.of(np.zeros(40, dtype=bool))


def test_folds_judge_vehicles_that_their_calibration_never_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as those that ask nor as strangers in a gallery."""
    galleries: list[set[str]] = []
    learned: list[set[str]] = []
    seen: list[tuple[set[str], set[str]]] = []
    fit, judge, search = nested.fit, nested.judge, asking.search_drawn

    def spy_search(query: Features, gallery: Features, *rest, **others):
        galleries.append({*gallery.sightings.column("vehicle").tolist(), *query.sightings.column("vehicle").tolist()})
        return search(query, gallery, *rest, **others)

    def spy_fit(lessons: Lessons, *rest):
        learned.append({*lessons.first.vehicle.tolist(), *lessons.pairs.vehicle.tolist(), *galleries[-1]})
        return fit(lessons, *rest)

    def spy_judge(lessons: Lessons, calibration):
        seen.append((learned[-1], {*lessons.first.vehicle.tolist(), *lessons.pairs.vehicle.tolist(), *galleries[-1]}))
        return judge(lessons, calibration)

    monkeypatch.setattr(nested, "fit", spy_fit)
    monkeypatch.setattr(nested, "judge", spy_judge)
    monkeypatch.setattr(asking, "search_drawn", spy_search)
    asked = of(drawn_features(12, 4, seed=5))
    judgement, sizes = judge_nested(asked, PLAIN, parse_goal("f1+tnr"), folds=3)
    assert len(seen) == 3
    for learned_from, tested in seen:
        assert len(learned_from) == 8
        assert len(tested) == 4
        assert not learned_from & tested
    assert set(judgement.searches.examples.vehicle.tolist()) == {f"v{number}" for number in range(12)}
    assert np.unique(judgement.searches.examples.size).tolist() == sizes == sizes_up_to(12)
    given, sizes = judge_nested(asked, PLAIN, parse_goal("f1+tnr"), folds=2, sizes=[6, 12])
    assert (np.unique(given.searches.examples.size).tolist(), sizes) == ([6, 12], [6, 12])
    with pytest.raises(ClipsenetError, match="wanted 2 to 12, the number of vehicles"):
        judge_nested(asked, PLAIN, parse_goal("f1+tnr"), folds=13)
    with pytest.raises(ClipsenetError, match="galleries of 13: every query can be asked of 2 to 12"):
        judge_nested(asked, PLAIN, parse_goal("f1+tnr"), folds=3, sizes=[13])


def test_an_answer_that_is_right_where_nobody_is_there_is_our_own_mistake() -> None:
    yes, no = np.array([True]), np.array([False])
    with pytest.raises(AssertionError, match="cannot be right where the vehicle is absent"):
        Examples(np.zeros((1, 6)), yes, no, np.array(["a"]), np.array([2]))
