import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet import neighbours, reranking, streaming
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.reranking import k_reciprocal
from clipsenet.sightings import Sightings
from clipsenet.streaming import FixedGallery
from conftest import golden_arrays
from test_neighbours import exact_vectors


def features(vectors: np.ndarray, name: str = "g", run: str = "r") -> Features:
    return Features(Sightings.of([f"{name}{i}.jpg" for i in range(len(vectors))]), vectors.astype(np.float32), run)


def reranked(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, original: float) -> np.ndarray:
    blocks = list(k_reciprocal(features(query, "q"), features(gallery), k1, k2, original))
    return np.concatenate([block for _, block in blocks])


def slow_distance(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, original: float) -> np.ndarray:
    """The definition, with sets, loops and whole matrices; nothing is shared with the fast one."""
    vectors = np.concatenate([query, gallery]).astype(np.float64)
    n = len(vectors)
    d = np.maximum(2 - 2 * vectors @ vectors.T, 0)
    np.fill_diagonal(d, 0)
    d = d / np.where(d.max(axis=1) > 0, d.max(axis=1), 1)[:, None]
    order = [sorted(range(n), key=lambda j: (j != i, d[i, j], j)) for i in range(n)]

    def mutual(i: int, k: int) -> set[int]:
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    v = np.zeros((n, n))
    for i in range(n):
        base = mutual(i, k1)
        extended = set(base)
        for c in base:
            half = mutual(c, round(k1 / 2))
            if 3 * len(half & base) > 2 * len(half):
                extended |= half
        for j in extended:
            v[i, j] = np.exp(-d[i, j])
        v[i] /= v[i].sum()
    if k2 > 1:
        v = np.stack([v[order[i][:k2]].mean(axis=0) for i in range(n)])
    result = np.zeros((len(query), len(gallery)))
    for i in range(len(query)):
        for j in range(len(gallery)):
            m = np.minimum(v[i], v[len(query) + j]).sum()
            result[i, j] = (1 - original) * (1 - m / (2 - m)) + original * d[i, len(query) + j]
    return result


@pytest.mark.golden
def test_distances_agree_with_the_published_code() -> None:
    arrays = golden_arrays("k_reciprocal.npz")
    tried = 0
    for name, wanted in arrays.items():
        found = re.fullmatch(r"distance_k1=(\d+)_k2=(\d+)_lambda=([\d.]+)", name)
        if found:
            similarity = reranked(arrays["query"], arrays["gallery"], int(found[1]), int(found[2]), float(found[3]))
            assert np.abs(1 - similarity - wanted).max() < 1e-4, name
            tried += 1
    assert tried > 0


@given(
    st.lists(st.integers(0, 15), min_size=1, max_size=6),
    st.lists(st.integers(0, 15), min_size=1, max_size=20),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(deadline=None, max_examples=60)
def test_equals_the_slow_obvious_way_with_ties(query: list[int], gallery: list[int], k1: int, k2: int, original: float) -> None:
    """Equal vectors, one picture, k above their number: all among these cases."""
    a, b = exact_vectors(query), exact_vectors(gallery)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK", 7)
        patch.setattr(reranking, "ROWS", 5)
        similarity = reranked(a, b, k1, k2, original)
    # where D decides exactly two thirds or equal places, both do the same: products of halves are exact
    assert np.abs(1 - similarity - slow_distance(a, b, k1, k2, original)).max() < 1e-5


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 12), st.integers(1, 50))
@settings(deadline=None, max_examples=40)
def test_equals_the_slow_obvious_way_on_clusters(seed: int, k1: int, k2: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((5, 6))[rng.integers(5, size=n + 2)] + 0.4 * rng.standard_normal((n + 2, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    found = reranked(vectors[:2], vectors[2:], k1, k2, 0.3)
    assert np.abs(1 - found - slow_distance(vectors[:2], vectors[2:], k1, k2, 0.3)).max() < 1e-5


def test_all_vectors_equal() -> None:
    same = exact_vectors([3] * 9)
    assert np.abs(reranked(same[:2], same[2:], 3, 2, 0.3) - (1 - slow_distance(same[:2], same[2:], 3, 2, 0.3))).max() < 1e-6


def test_larger_similarities_are_more_alike_and_lie_between_0_and_1() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = reranked(vectors[:5], vectors, 6, 3, 0.3)
    assert similarity.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]  # each query's own copy stands in the gallery
    assert similarity.min() > -1e-6
    assert similarity.max() < 1 + 1e-6


def test_embeddings_of_two_runs_are_refused_before_any_work() -> None:
    with pytest.raises(ClipsenetError, match="of two runs cannot be compared"):
        next(k_reciprocal(features(exact_vectors([1]), run="a"), features(exact_vectors([2]), run="b")))


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 14), st.integers(1, 45))
@settings(deadline=None, max_examples=60)
def test_streaming_equals_re_ranking_with_that_query_alone(seed: int, k1: int, k2: int, g: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((4, 5))[rng.integers(4, size=g + 3)] + 0.4 * rng.standard_normal((g + 3, 5))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    fixed = FixedGallery.of(features(vectors[3:]), k1, k2, 0.3)
    for one in range(3):
        answer = fixed.rerank(features(vectors[one : one + 1], "q"))
        assert answer.whole
        assert answer.how == f"the whole gallery of {g}, exact"
        assert np.abs(answer.similarity - reranked(vectors[one : one + 1], vectors[3:], k1, k2, 0.3)[0]).max() < 1e-5


@given(st.integers(0, 15), st.lists(st.integers(0, 15), min_size=1, max_size=25), st.integers(1, 12), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_streaming_equals_it_with_ties(query: int, gallery: list[int], k1: int, k2: int) -> None:
    a, b = exact_vectors([query]), exact_vectors(gallery)
    answer = FixedGallery.of(features(b), k1, k2, 0.3).rerank(features(a, "q"))
    assert np.abs(answer.similarity - reranked(a, b, k1, k2, 0.3)[0]).max() < 1e-5


def test_above_the_limit_the_first_candidates_are_re_ranked_and_the_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "CANDIDATES", 12)
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((41, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    query, gallery = vectors[:1], vectors[1:]
    answer = FixedGallery.of(features(gallery), 5, 2, 0.3, limit=39).rerank(features(query, "q"))
    first = np.sort(np.argsort(-(gallery @ query[0]))[:12])
    assert answer.candidates.tolist() == first.tolist()
    assert not answer.whole
    assert answer.how == "among the first 12 of 40 by cosine (above the limit of 39)"
    assert np.abs(answer.similarity[first] - reranked(query, gallery[first], 5, 2, 0.3)[0]).max() < 1e-5
    rest = np.setdiff1d(np.arange(40), first)
    assert answer.similarity[rest].max() < answer.similarity[first].min()
    # behind them, in the order of the cosine
    assert np.argsort(-answer.similarity[rest]).tolist() == np.argsort(-(gallery[rest] @ query[0])).tolist()


def test_streaming_takes_one_query_of_the_same_run() -> None:
    fixed = FixedGallery.of(features(exact_vectors([1, 2, 3])))
    with pytest.raises(ClipsenetError, match="2 pictures of run r asked"):
        fixed.rerank(features(exact_vectors([1, 2])))
    with pytest.raises(ClipsenetError, match="of run other asked"):
        fixed.rerank(features(exact_vectors([1]), run="other"))
