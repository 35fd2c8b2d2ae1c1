import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet import ranking
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.protocol import JunkRule
from clipsenet.ranking import Ranking, rank, rank_by_each
from clipsenet.scores import CMC_RANKS, score_queries
from clipsenet.sightings import Sightings
from clipsenet.similarity import block_rows, cosine
from conftest import golden_arrays


def features(n: int, vectors: np.ndarray | None = None, run: str = "r") -> Features:
    vectors = np.eye(n, 4, dtype=np.float32) if vectors is None else vectors.astype(np.float32)
    return Features(Sightings.of([f"{i}.jpg" for i in range(n)]), vectors / np.linalg.norm(vectors, axis=1)[:, None], run)


def sightings(vehicles: str, cameras: str, start: int = 0) -> Sightings:
    return Sightings.of(
        [f"{start + i}.jpg" for i in range(len(vehicles))],
        vehicle=[v.strip("-") for v in vehicles],
        camera=[c.strip("-") for c in cameras],
    )


def split(all_: Sightings, queries: int) -> tuple[Sightings, Sightings]:
    rows = np.arange(len(all_))
    return all_[rows[:queries]], all_[rows[queries:]]


def ranked(similarity: list[list[float]], all_: Sightings, junk: str = "same-camera", first: int = 50) -> Ranking:
    query, gallery = split(all_, len(similarity))
    block = np.array(similarity, dtype=np.float32)
    return rank([(slice(0, len(block)), block)], query, gallery, junk, first)  # type: ignore[arg-type]


def test_a_hand_sized_ranking() -> None:
    """Four queries, five gallery pictures; read it by eye.

    gallery     4: a cam 1   5: a cam 2   6: b cam 1   7: b cam 2   8: c cam 2
    """
    all_ = sightings("abca" + "aabbc", "1112" + "12122")
    found = ranked(
        [
            [0.9, 0.8, 0.1, 0.2, 0.3],  # a cam 1: picture 4 is junk; 5 comes first
            [0.5, 0.6, 0.9, 0.1, 0.2],  # b cam 1: picture 6 is junk; 7 comes last of four
            [0.5, 0.6, 0.9, 0.1, 0.2],  # c cam 1: 8 stands behind 6, 5, 4
            [0.2, 0.9, 0.2, 0.1, 0.0],  # a cam 2: 5 is junk; 4 ties with 6, which is no match and stands before it
        ],
        all_,
    )
    assert [places.tolist() for places in found.places] == [[0], [3], [3], [1]]
    assert found.candidates.tolist() == [4, 4, 5, 4]
    assert found.top.tolist() == [[1, 4, 3, 2, -1], [1, 0, 4, 3, -1], [2, 1, 0, 4, 3], [2, 0, 3, 4, -1]]
    assert found.matches.tolist() == [1, 1, 1, 1]
    scores = score_queries(found.places)
    assert scores.average_precision.tolist() == [1.0, 0.25, 0.25, 0.5]
    assert scores.per_query()["R1"].tolist() == [1, 0, 0, 0]
    assert scores.per_query()["R5"].tolist() == [1, 1, 1, 1]


def test_the_same_file_is_junk_under_every_rule_and_unknown_cameras_are_never_equal() -> None:
    both = Sightings.of(["q", "q", "r"], vehicle=["a", "a", "a"])
    for junk in ("same-camera", "same-file"):
        found = ranked([[0.9, 0.1]], both, junk)
        assert found.candidates.tolist() == [1]
        assert found.top[0, 0] == 1
        assert found.places[0].tolist() == [0]


def test_of_a_whole_frame_the_own_box_and_the_own_vehicle_are_junk() -> None:
    frames = Sightings.of(
        ["f", "f", "f", "g"],
        vehicle=["a", "a", "b", "a"],
        box=[[0, 0, 4, 4], [-1, -1, -1, -1], [5, 5, 4, 4], [0, 0, 4, 4]],
    )
    found = ranked([[0.9, 0.8, 0.1]], frames)
    # the whole frame shows the query again; another vehicle of the same frame is a fair distractor
    assert found.candidates.tolist() == [2]
    assert found.places[0].tolist() == [1]


def test_same_file_keeps_the_own_camera() -> None:
    all_ = sightings("a" + "aab", "1" + "122")
    assert ranked([[0.9, 0.5, 0.7]], all_, "same-file").places[0].tolist() == [0, 2]
    assert ranked([[0.9, 0.5, 0.7]], all_, "same-camera").places[0].tolist() == [1]


def test_all_same_camera_leaves_the_strangers_of_the_own_camera_out_too() -> None:
    all_ = sightings("a" + "aabb-", "1" + "12121")
    found = ranked([[0.9, 0.5, 0.8, 0.6, 0.7]], all_, "all-same-camera")
    # left are 2 (a cam 2) and 4 (b cam 2); 1, 3 and 5 stand before camera 1
    assert found.top.tolist() == [[3, 1, -1, -1, -1]]
    assert found.places[0].tolist() == [1]
    assert found.candidates.tolist() == [2]


def test_the_matches_stand_at_their_places() -> None:
    all_ = sightings("a" + "abaab", "1" + "22232")
    found = ranked([[0.3, 0.9, 0.5, 0.5, 0.4]], all_)
    assert found.places[0].tolist() == [1, 2, 4]
    assert found.matched[0].tolist() == [2, 3, 0]  # of equal ones the smaller row first


def test_several_rules_share_the_similarities_and_leave_them_as_they_were() -> None:
    all_ = sightings("aab" + "aabbb", "112" + "12122")
    query, gallery = split(all_, 3)
    block = np.random.default_rng(0).random((3, 5)).astype(np.float32)
    before = block.copy()
    rules: tuple[JunkRule, ...] = ("same-camera", "same-file", "all-same-camera")
    together = rank_by_each([(slice(0, 3), block)], query, gallery, rules)
    assert (block == before).all()
    for rule, found in zip(rules, together, strict=True):
        alone = ranked(before.tolist(), all_, rule)
        assert found.top.tolist() == alone.top.tolist()
        assert [one.tolist() for one in found.places] == [one.tolist() for one in alone.places]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True))
def test_the_trapezoid_rule_equals_its_walk_down_the_list(places: list[int]) -> None:
    """The area below the straight lines between the points (recall, precision), from precision 1 at recall 0."""
    area, recall, precision, hits = 0.0, 0.0, 1.0, 0
    for place in range(31):
        hits += place in places
        new_recall, new_precision = hits / len(places), hits / (place + 1)
        area += (new_recall - recall) * (precision + new_precision) / 2
        recall, precision = new_recall, new_precision
    found = score_queries([np.array(sorted(places))], ap="trapezoid")
    assert found.average_precision[0] == pytest.approx(area)


def test_a_query_of_an_unknown_vehicle_has_no_match() -> None:
    assert ranked([[0.9, 0.5]], sightings("-" + "-a", "1" + "22")).places[0].tolist() == []


def test_a_constant_embedding_earns_nothing_at_rank_one() -> None:
    all_ = sightings("a" + "aabbb", "1" + "22222")
    assert ranked([[0.5] * 5], all_).places[0].tolist() == [3, 4]


def slow_places(similarity: np.ndarray, match: np.ndarray) -> list[int]:
    """Sort everything: by similarity, and at a tie the non-match first."""
    order = sorted(range(len(similarity)), key=lambda i: (-similarity[i], match[i]))
    return [place for place, i in enumerate(order) if match[i]]


@pytest.mark.parametrize("sorting", [0, 10**9])
@given(st.data())
@settings(deadline=None)
def test_places_and_top_equal_the_slow_obvious_way(sorting: int, data: st.DataObject) -> None:
    """Both ways of counting what stands before a match, galleries below and above the size that is cut into parts."""
    g = data.draw(st.integers(1, 12) | st.integers(20, 60))
    values = st.sampled_from([-0.5, 0.0, 0.25, 0.25, 0.5, 1.0])  # few values: many ties
    similarity = np.array(data.draw(st.lists(values, min_size=g, max_size=g)), dtype=np.float32)
    letters = st.text("abc", min_size=g + 1, max_size=g + 1)
    all_ = sightings(data.draw(letters), data.draw(st.text("12", min_size=g + 1, max_size=g + 1)))
    first = data.draw(st.integers(1, 14))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "SORTING", sorting)
        found = ranked([similarity.tolist()], all_, first=first)
    query, gallery = split(all_, 1)
    same = gallery.vehicle.numbers == query.vehicle.numbers[0]
    kept = np.flatnonzero(~(same & (gallery.camera.numbers == query.camera.numbers[0])))
    assert found.places[0].tolist() == slow_places(similarity[kept], same[kept])
    order = sorted(kept, key=lambda i: (-similarity[i], same[i]))
    expected = similarity[order][: min(first, g)]
    assert found.top_similarity[0, : len(expected)].tolist() == expected.tolist()
    assert sorted(found.top[0, : len(expected)].tolist()) == sorted(set(found.top[0, : len(expected)].tolist()))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True))
def test_scores_equal_their_definitions(places: list[int]) -> None:
    places = sorted(places)
    found = score_queries([np.array(places)], cuts=(10,))
    hits = [place in places for place in range(31)]
    precisions = [sum(hits[: k + 1]) / (k + 1) for k in range(31) if hits[k]]
    assert found.average_precision[0] == pytest.approx(np.mean(precisions))
    assert found.inverse_penalty[0] == pytest.approx(len(places) / (max(places) + 1))
    within = [sum(hits[: k + 1]) / (k + 1) for k in range(10) if hits[k]]
    assert found.precision_at[10][0] == pytest.approx(sum(within) / min(10, len(places)))
    assert found.per_query()["R5"][0] == float(any(hits[:5]))


def test_a_query_without_a_match_counts_nowhere() -> None:
    found = score_queries([np.array([], dtype=np.int64), np.array([0])])
    for values in found.per_query().values():
        assert np.isnan(values[0])
        assert values[1] == 1


@pytest.mark.golden
def test_scores_agree_with_the_published_evaluator() -> None:
    arrays = golden_arrays("scores.npz")
    n = len(arrays["query"])
    identity = np.concatenate([arrays["query_identity"], arrays["gallery_identity"]])
    camera = np.concatenate([arrays["query_camera"], arrays["gallery_camera"]])
    all_ = Sightings.of(
        [f"{i}.jpg" for i in range(len(identity))], vehicle=identity.astype(str).tolist(), camera=camera.astype(str).tolist()
    )
    vectors = np.concatenate([arrays["query"], arrays["gallery"]])
    rows = np.arange(len(all_))
    both = Features(all_, vectors, "reference")
    query, gallery = both[rows[:n]], both[rows[n:]]
    found = rank(cosine(query, gallery), query.sightings, gallery.sightings, "same-camera")
    scores = score_queries(found.places)
    matched = found.matches > 0
    assert np.abs(scores.average_precision[matched] - arrays["average_precisions"]).max() < 1e-6
    assert np.abs(scores.inverse_penalty[matched] - arrays["inverse_negative_penalties"]).max() < 1e-6
    assert np.nanmean(scores.average_precision) == pytest.approx(float(arrays["mean_average_precision"]), abs=1e-6)
    means = {name: np.nanmean(values) for name, values in scores.per_query().items()}
    curve = np.array([(scores.first_place[matched] < k).mean() for k in range(1, 51)])
    for name in ("cmc_50", "cmc_50_b"):
        assert np.abs(curve - arrays[name]).max() < 1e-6
        for k in CMC_RANKS:
            assert means[f"R{k}"] == pytest.approx(arrays[name][k - 1], abs=1e-6)


def test_cosine_comes_in_blocks_and_equals_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    query, gallery = features(7, rng.standard_normal((7, 4))), features(5, rng.standard_normal((5, 4)))
    monkeypatch.setattr("clipsenet.similarity.BLOCK_BYTES", 4 * 5 * 2)
    monkeypatch.setattr("clipsenet.similarity.FULL_SPEED", 1)
    blocks = list(cosine(query, gallery))
    assert [part for part, _ in blocks] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]
    whole = np.concatenate([block for _, block in blocks])
    assert np.abs(whole - query.embeddings @ gallery.embeddings.T).max() < 1e-6


def test_blocks_of_a_large_gallery_keep_enough_rows_for_a_fast_product() -> None:
    assert block_rows(11_579) == 64 * 2**20 // (4 * 11_579)
    assert block_rows(128_517) == 512
    assert block_rows(1_000_000) == 4 * (64 * 2**20 // 4_000_000)
    assert block_rows(10**9) == 1


def test_embeddings_of_two_runs_are_not_compared() -> None:
    with pytest.raises(ClipsenetError, match="of two runs cannot be compared"):
        next(cosine(features(2), features(2, run="other")))


def test_nan_similarities_are_refused() -> None:
    with pytest.raises(ClipsenetError, match=r"0\.jpg are NaN"):
        ranked([[float("nan"), 0.1]], sightings("a" + "ab", "1" + "22"))
