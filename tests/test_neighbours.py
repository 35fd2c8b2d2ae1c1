import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet import neighbours
from clipsenet.neighbours import nearest, nearest_among, take


def exact_vectors(rows: list[int]) -> np.ndarray:
    """Vectors of halves: every product of two is exact in float32, so that ties are ties."""
    signs = np.array([[1 if row >> bit & 1 else -1 for bit in range(4)] for row in rows], dtype=np.float32)
    return 0.5 * signs.reshape(-1, 4)


def slow_lists(similarity: np.ndarray, own: int | None, k: int) -> list[list[int]]:
    """Sort everything: itself first, then larger similarities, then smaller rows."""
    lists = []
    for row, line in enumerate(similarity):
        itself = None if own is None else row + own
        lists.append(sorted(range(len(line)), key=lambda j: (j != itself, -line[j], j))[:k])
    return lists


@given(st.lists(st.integers(0, 15), min_size=1, max_size=40), st.integers(1, 45), st.integers(1, 9), st.integers(0, 40))
@settings(deadline=None)
def test_neighbours_among_all_equal_the_slow_obvious_way(rows: list[int], k: int, block: int, cut: int) -> None:
    """Few different vectors, small blocks: ties within blocks, across blocks, and across the parts' border."""
    vectors = exact_vectors(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK", block)
        patch.setattr(neighbours, "TILE", 3)
        found = nearest_among([vectors[:cut], vectors[cut:]], k)
    similarity = vectors @ vectors.T
    wanted = slow_lists(similarity, 0, k)
    assert found.row.tolist() == wanted
    np.fill_diagonal(similarity, 1)
    assert found.similarity.tolist() == np.take_along_axis(similarity, np.array(wanted), axis=1).tolist()
    if len(rows) > 1:
        np.fill_diagonal(similarity, np.inf)
        assert found.least.tolist() == similarity.min(axis=1).tolist()


@given(st.lists(st.integers(0, 15), min_size=1, max_size=30), st.integers(1, 12), st.integers(1, 35), st.booleans())
@settings(deadline=None)
def test_neighbours_among_others_equal_the_slow_obvious_way(rows: list[int], queries: int, k: int, inside: bool) -> None:
    gallery = exact_vectors(rows)
    asking = gallery[:queries] if inside else exact_vectors([7, 2, 2, 9])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK", 4)
        patch.setattr(neighbours, "TILE", 2)
        found = nearest(asking, [gallery[:5], gallery[5:]], k, own=0 if inside else None)
    assert found.row.tolist() == slow_lists(asking @ gallery.T, 0 if inside else None, k)


def test_negative_zero_and_extreme_similarities_keep_their_order() -> None:
    """The order is kept in the bits of float32: signs, zeros and neighbouring numbers must not be mixed up."""
    values = np.array([1.0, np.nextafter(np.float32(1), np.float32(0)), 1e-30, 0.0, -1e-30, -0.5, -1.0], dtype=np.float32)
    shuffled = np.array([3, 0, 6, 1, 5, 2, 4])
    gallery = np.stack([values[shuffled], np.sqrt(np.maximum(0, 1 - values[shuffled] ** 2))], axis=1).astype(np.float32)
    query = np.array([[1, 0]], dtype=np.float32)
    found = nearest(query, [gallery], 7)
    assert found.similarity[0].tolist() == values.tolist()
    assert found.row[0].tolist() == np.argsort(shuffled).tolist()


def test_progress_ends_at_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", 4)
    heard: list[tuple[int, int]] = []
    nearest_among([exact_vectors(list(range(10)))], 3, lambda done, total: heard.append((done, total)))
    assert heard[-1] == (6, 6)
    assert [done for done, _ in heard] == [1, 2, 3, 4, 5, 6]


def test_take_reads_parts_as_if_they_were_one() -> None:
    vectors = exact_vectors(list(range(10)))
    rows = np.array([9, 0, 3, 4, 4])
    assert take([vectors[:4], vectors[4:4], vectors[4:]], rows).tolist() == vectors[rows].tolist()
