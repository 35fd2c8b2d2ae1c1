import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.expansion import expand
from clipsenet.features import Features
from clipsenet.fusion import fuse
from clipsenet.sightings import Sightings
from clipsenet.whitening import whiten
from conftest import golden_arrays
from test_neighbours import exact_vectors


def features(vectors: np.ndarray, name: str = "g", run: str = "r") -> Features:
    return Features(Sightings.of([f"{name}{i}.jpg" for i in range(len(vectors))]), vectors.astype(np.float32), run)


def random_unit(n: int, dim: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.golden
def test_both_sides_over_their_union_agree_with_the_published_code() -> None:
    arrays = golden_arrays("query_expansion.npz")
    tried = 0
    for name, wanted in arrays.items():
        found = re.fullmatch(r"query_k=(\d+)_alpha=([\d.]+)", name)
        if found:
            pair = features(arrays["query"], "q"), features(arrays["gallery"])
            query, gallery = expand(*pair, int(found[1]), float(found[2]), "both", together=True)
            assert np.abs(query.embeddings - wanted).max() < 1e-5, name
            assert np.abs(gallery.embeddings - arrays[name.replace("query", "gallery")]).max() < 1e-5, name
            tried += 1
    assert tried > 0


def slow_mean(itself: np.ndarray, others: np.ndarray, k: int, alpha: float) -> np.ndarray:
    """Sort all others, take the first k - 1, and add the picture itself with weight 1."""
    similarity = others @ itself
    first = sorted(range(len(others)), key=lambda j: (-similarity[j], j))[: k - 1]
    mean = itself + sum((similarity[j] ** alpha * others[j] for j in first if similarity[j] > 0), np.zeros_like(itself))
    return mean / np.linalg.norm(mean)


@given(
    st.lists(st.integers(0, 15), min_size=1, max_size=6),
    st.lists(st.integers(0, 15), min_size=1, max_size=12),
    st.integers(1, 25),
    st.sampled_from([0.0, 1.0, 3.0]),
    st.booleans(),
)
@settings(deadline=None)
def test_expansion_equals_the_slow_obvious_way(
    rows: list[int], others: list[int], k: int, alpha: float, together: bool
) -> None:
    """Ties, one picture, k above the gallery's size, and opposite vectors, which weigh nothing."""
    q, g = exact_vectors(rows), exact_vectors(others)
    query, same_gallery = expand(features(q, "q"), features(g), k, alpha, "query", together)
    assert same_gallery.embeddings.tolist() == g.tolist()
    for i in range(len(q)):
        among = np.concatenate([np.delete(q, i, axis=0), g]) if together else g
        assert np.abs(query.embeddings[i] - slow_mean(q[i], among, k, alpha)).max() < 1e-6
    same_query, gallery = expand(features(q, "q"), features(g), k, alpha, "gallery", together)
    assert same_query.embeddings.tolist() == q.tolist()
    for i in range(len(g)):
        among = np.delete(g, i, axis=0)
        if together:
            among = np.concatenate([q, among])
        assert np.abs(gallery.embeddings[i] - slow_mean(g[i], among, k, alpha)).max() < 1e-6


def test_both_sides_alone_are_each_side_alone() -> None:
    q, g = features(random_unit(4, 8, 0), "q"), features(random_unit(9, 8, 1))
    query, gallery = expand(q, g, 3, 1.0, "both")
    assert (query.embeddings == expand(q, g, 3, 1.0, "query")[0].embeddings).all()
    assert (gallery.embeddings == expand(q, g, 3, 1.0, "gallery")[1].embeddings).all()


def test_the_first_k_of_one_is_the_picture_itself() -> None:
    q, g = features(random_unit(4, 8, 0), "q"), features(random_unit(9, 8, 1))
    query, gallery = expand(q, g, 1, 0.0, "both")
    assert np.abs(query.embeddings - q.embeddings).max() < 1e-6
    assert np.abs(gallery.embeddings - g.embeddings).max() < 1e-6


def test_whitened_pictures_are_uncorrelated_and_equally_spread() -> None:
    rng = np.random.default_rng(0)
    stretched = rng.standard_normal((500, 6)) * [5, 3, 1, 1, 0.5, 0.2] + 1
    vectors = (stretched / np.linalg.norm(stretched, axis=1, keepdims=True)).astype(np.float32)
    query, gallery = whiten(features(vectors[:50], "q"), features(vectors))
    assert np.abs(query.embeddings - gallery.embeddings[:50]).max() < 1e-6
    # before they are brought to length 1 their covariance is the identity
    mean, scatter = vectors.mean(axis=0), np.cov(vectors.T, bias=True)
    values, directions = np.linalg.eigh(scatter)
    slow = (vectors - mean) @ directions[:, ::-1] / np.sqrt(values[::-1])
    assert np.abs(np.cov(slow.T, bias=True) - np.eye(6)).max() < 1e-2
    slow /= np.linalg.norm(slow, axis=1, keepdims=True)
    assert np.abs(np.abs(gallery.embeddings) - np.abs(slow)).max() < 1e-3


def test_whitening_keeps_the_first_directions_and_the_fit_can_hold_the_queries() -> None:
    q, g = features(random_unit(30, 8, 0), "q"), features(random_unit(60, 8, 1))
    assert whiten(q, g, 3)[0].dim == whiten(q, g, 3)[1].dim == 3
    assert np.abs(whiten(q, g)[0].embeddings - whiten(q, g, fit="both")[0].embeddings).max() > 1e-3


def test_whitening_of_pictures_that_do_not_differ_is_refused() -> None:
    same = features(exact_vectors([3] * 5))
    with pytest.raises(ClipsenetError, match="are all alike"):
        whiten(same, same)
    opposite = features(exact_vectors([0, 15]))  # their mean is 0, and they differ in one direction only
    across = features(exact_vectors([5]), "q")
    with pytest.raises(ClipsenetError, match=r"q0\.jpg lies at the mean of all pictures"):
        whiten(across, opposite)


def test_fusion_is_the_weighted_sum_of_cosines() -> None:
    a, b = random_unit(7, 8, 0), random_unit(7, 5, 1)
    both = fuse([features(a, run="a"), features(b, run="b")], [0.7, 0.3])
    assert both.dim == 13
    assert np.abs(both.embeddings @ both.embeddings.T - (0.7 * a @ a.T + 0.3 * b @ b.T)).max() < 1e-6
    assert both.run_id == "0.7 a + 0.3 b"


def test_fusion_refuses_other_pictures_and_odd_weights() -> None:
    a = features(random_unit(3, 4, 0))
    with pytest.raises(ClipsenetError, match="other pictures cannot be fused"):
        fuse([a, features(random_unit(3, 4, 1), "other")], [0.5, 0.5])
    for weights in ([1.2, -0.2], [0.5, 0.2], [1.0, 0.0]):
        with pytest.raises(UsageError, match="wanted numbers above 0 that add up to 1"):
            fuse([a, a], weights)
