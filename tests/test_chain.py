import numpy as np
import pytest

from clipsenet import memory
from clipsenet.chain import ENTRIES_APART, ENTRIES_MEAN, ENTRIES_RAW, PLAIN, Chain
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.expansion import expand
from clipsenet.memory import free_bytes, require_memory
from clipsenet.neighbours import nearest_among
from clipsenet.reciprocal import Reciprocal
from clipsenet.reporting import LateStage, Tick, Watch
from clipsenet.reranking import k_reciprocal
from clipsenet.similarity import cosine
from clipsenet.streaming import FixedGallery
from clipsenet.whitening import whiten
from test_expansion import features, random_unit

PAIR = features(random_unit(5, 8, 0), "q"), features(random_unit(30, 8, 1))


def similarities(text: str) -> np.ndarray:
    return np.concatenate([block for _, block in Chain.parse(text).blocks(*PAIR)])


def whole(blocks: object) -> np.ndarray:
    return np.concatenate([block for _, block in blocks])  # type: ignore[attr-defined]


def test_words_mean_what_the_functions_do() -> None:
    q, g = PAIR
    assert (similarities("cosine") == whole(cosine(q, g))).all()
    assert (similarities("expansion:k=3") == whole(cosine(*expand(q, g, 3)))).all()
    assert (similarities("whitening:dim=4") == whole(cosine(*whiten(q, g, 4)))).all()
    assert (similarities("k-reciprocal:k1=5,k2=3,original=0.5") == whole(k_reciprocal(q, g, 5, 3, 0.5))).all()
    chained = "expansion:k=3,alpha=3,queries=together + augmentation:k=2 + k-reciprocal:k1=5,k2=3,lambda=0.5"
    pair = expand(*expand(q, g, 3, 3.0, "query", together=True), 2, 0.0, "gallery")
    assert (similarities(chained) == whole(k_reciprocal(*pair, 5, 3, 0.5))).all()
    alone = FixedGallery.of(g, 5, 3, 0.3)
    one_by_one = [alone.rerank(q[np.array([row])]).similarity for row in range(len(q))]
    assert (similarities("k-reciprocal:k1=5,k2=3,queries=alone") == np.stack(one_by_one)).all()


@pytest.mark.parametrize(
    "change",
    [
        "expansion:k=4",
        "expansion:k=3,alpha=2",
        "expansion:k=3,sides=both",
        "expansion:k=3,queries=together",
        "augmentation:k=3",
        "whitening:dim=5",
        "whitening:fit=both",
        "k-reciprocal:k1=5,k2=1",
        "k-reciprocal:k1=6,k2=1",
        "k-reciprocal:k1=5,k2=2",
        "k-reciprocal:k1=5,k2=1,original=0.9",
        "k-reciprocal:k1=5,k2=1,queries=alone",
    ],
)
def test_every_parameter_changes_something(change: str) -> None:
    others = ["cosine", "expansion:k=3", "whitening", "k-reciprocal:k1=5,k2=1,original=0.8"]
    found = similarities(change)
    for other in others:
        assert np.abs(found - similarities(other)).max() > 1e-4


@pytest.mark.parametrize(
    "text", ["cosine", "expansion", "augmentation", "whitening", "k-reciprocal", "k-reciprocal:queries=alone"]
)
def test_an_empty_side_is_answered_with_nothing(text: str) -> None:
    none, some = features(random_unit(3, 8, 0)[:0]), features(random_unit(3, 8, 1), "q")
    assert sum(len(block) for _, block in Chain.parse(text).blocks(none, some)) == 0
    blocks = list(Chain.parse(text).blocks(some, none))
    assert [block.shape for _, block in blocks] == [(3, 0)]


def test_a_limit_below_the_gallery_ranks_among_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipsenet.streaming.CANDIDATES", 10)
    found = similarities("k-reciprocal:k1=5,k2=2,queries=alone,limit=20")
    assert ((found < -0.5).sum(axis=1) == 20).all()


def test_the_text_of_a_chain_reads_back_to_the_same() -> None:
    for text in (
        "cosine",
        "expansion:k=5 + k-reciprocal:k1=50,k2=15,original=0.5",
        "whitening:dim=3,fit=both + augmentation:k=4,alpha=0.5",
        "k-reciprocal:queries=alone,limit=5",
    ):
        assert Chain.parse(str(Chain.parse(text))) == Chain.parse(text)
    assert str(Chain.parse("k-reciprocal:lambda=0.5,k1=50, k2=15")) == "k-reciprocal:k1=50,k2=15,original=0.5"
    assert Chain.parse("cosine") == PLAIN


def test_the_card_says_plain_re_ranked_and_transductive() -> None:
    assert PLAIN.describe() == "cosine, plain (not re-ranked)"
    assert PLAIN.label() == "plain"
    together = Chain.parse("k-reciprocal:k1=50,k2=15,original=0.5")
    assert "(re-ranked; transductive: queries are neighbours of each other)" in together.describe()
    assert together.label() == "k-reciprocal 50/15/0.5"
    alone = Chain.parse("k-reciprocal:queries=alone")
    assert "transductive" not in alone.describe()
    assert alone.label() == "k-reciprocal 20/6/0.3, alone"
    assert "transductive" in Chain.parse("expansion:queries=together").describe()
    assert "transductive" not in Chain.parse("expansion").describe()
    assert "transductive" in Chain.parse("whitening:fit=both").describe()
    assert Chain.parse("expansion").label() == "expansion"
    assert Chain.parse("expansion:k=10").label() == "expansion k=10"
    assert Chain.parse("k-reciprocal:queries=alone,limit=10").label() == "k-reciprocal 20/6/0.3, alone up to 10"
    assert "among the first 1000 where the gallery is above 10" in Chain.parse("k-reciprocal:queries=alone,limit=10").describe()
    assert not Chain.parse("whitening").plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k-recip", "unknown transform or similarity 'k-recip': choose from augmentation, cosine, expansion, k-reciprocal"),
        ("k-reciprocal:k3=1", "unknown setting 'k3': choose from k1, k2"),
        ("k-reciprocal:k1", "found 'k1', wanted name=value"),
        ("k-reciprocal:k1=0", "'k1' is 0, wanted: greater than or equal to 1"),
        ("k-reciprocal:original=1.5", "'original' is 1.5"),
        ("k-reciprocal:original=0.3,lambda=0.5", "'original' stands twice"),
        ("k-reciprocal:k1=many", "'k1' is 'many'"),
        ("cosine + expansion", "'cosine' must stand last; before it transforms"),
        ("expansion:sides=left", "'sides' is 'left'"),
        ("", "unknown transform or similarity ''"),
    ],
)
def test_a_chain_that_cannot_be_read_says_why(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        Chain.parse(text)
    assert message in str(error.value)


def test_memory_is_estimated_from_the_counts_and_what_cannot_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain.parse("k-reciprocal:k1=50,k2=15,original=0.5")
    small, large = chain.memory(1_678, 11_579, 512), chain.memory(10_000, 128_517, 512)
    assert small < large < 77e9 / 20  # the matrix of all pairs alone would take 77 GB
    monkeypatch.setattr(memory, "free_bytes", lambda: small)
    assert require_memory(small, "this", "that").startswith("this: up to about ")
    with pytest.raises(ClipsenetError, match=r"up to about .* GB, .* GB free: it does not fit; take smaller k1"):
        require_memory(large, "this", "take smaller k1")


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "noise"), [(0, 1.0), (40, 0.3), (1, 0.1)])
def test_the_estimate_covers_the_entries_that_there_are(clusters: int, noise: float) -> None:
    """Random vectors (an untrained network), clusters, and a single one: the encoding is the part that grows."""
    rng = np.random.default_rng(0)
    vectors = noise * rng.standard_normal((1500, 64))
    if clusters:
        vectors += rng.standard_normal((clusters, 64))[rng.integers(clusters, size=1500)]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    for k1, k2 in ((20, 6), (50, 15)):
        encoding = Reciprocal(nearest_among([vectors], k1 + 1), [vectors], k1, k2)
        raw = encoding.raw(np.arange(1500))
        mean = encoding.encode(np.arange(1500), raw)
        assert raw.nnz <= ENTRIES_RAW * (k1 + 1) * 1500
        assert mean.nnz <= max(ENTRIES_MEAN, ENTRIES_APART * k2) * (k1 + 1) * 1500


def test_free_memory_is_what_the_control_group_leaves(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    monkeypatch.setattr(memory, "_CGROUP", folder)
    whole_machine = free_bytes()
    assert whole_machine > 0
    (folder / "memory.max").write_text("1000000\n")
    (folder / "memory.current").write_text("400000\n")
    assert free_bytes() == 600_000
    (folder / "memory.max").write_text("max\n")
    assert free_bytes() > 600_000


def test_a_late_stage_begins_with_its_first_tick() -> None:
    heard: list[str] = []

    class Heard(Watch):
        def stage(self, title: str) -> Tick:
            heard.append(title)
            return lambda done, total: heard.append(f"{done}/{total}")

    tick = LateStage(Heard(), "ranking")
    assert heard == []
    tick(1, 2)
    tick(2, 2)
    assert heard == ["ranking", "1/2", "2/2"]
