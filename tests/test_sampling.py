from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet.errors import ClipsenetError
from clipsenet.sampling import IdentitySampler, SamplerSettings

COUNTS = st.lists(st.integers(1, 9), min_size=3, max_size=12)


def sampler(counts: list[int], p: int = 3, k: int = 2, epoch: str = "all-groups", seed: int = 0) -> IdentitySampler:
    vehicle = np.repeat(np.arange(len(counts)), counts)
    mixed = np.random.default_rng(1).permutation(vehicle)
    made = IdentitySampler(mixed, SamplerSettings(vehicles=p, pictures=k, epoch=epoch), seed)  # type: ignore[arg-type]
    made.vehicle = mixed  # type: ignore[attr-defined]
    return made


@given(COUNTS, st.integers(1, 4), st.sampled_from(["all-groups", "one-group"]))
@settings(deadline=None)
def test_each_batch_has_p_vehicles_with_k_pictures_each(counts: list[int], k: int, form: str) -> None:
    made = sampler(counts, k=k, epoch=form)
    drawn: Counter[int] = Counter()
    used: list[int] = []
    for batch in made.batches(0):
        vehicles = [int(made.vehicle[draw.row]) for draw in batch]  # type: ignore[attr-defined]
        assert len(batch) == 3 * k
        assert len(set(vehicles)) == 3
        assert all(len(set(vehicles[i * k : (i + 1) * k])) == 1 for i in range(3))
        drawn.update(vehicles[::k])
        used += [draw.row for draw in batch if counts[made.vehicle[draw.row]] >= k]  # type: ignore[attr-defined]
    assert len(used) == len(set(used)), "a vehicle with enough pictures shows none twice in an epoch"
    groups = [1 if form == "one-group" else max(1, n // k) for n in counts]
    assert all(drawn[vehicle] <= groups[vehicle] for vehicle in range(len(counts)))
    # it ends only when fewer than P vehicles still have groups
    assert sum(drawn[vehicle] < groups[vehicle] for vehicle in range(len(counts))) < 3


def test_a_vehicle_with_too_few_pictures_is_filled_up_with_its_own() -> None:
    made = sampler([1, 2, 5], k=4)
    (batch,) = made.batches(0)
    rows = {}
    for draw in batch:
        rows.setdefault(int(made.vehicle[draw.row]), []).append(draw.row)  # type: ignore[attr-defined]
    assert len(set(rows[0])) == 1
    assert len(set(rows[1])) == 2  # every picture it has comes first
    assert len(set(rows[2])) == 4


def test_the_same_seed_and_epoch_repeat_and_others_differ() -> None:
    counts = [4] * 9
    assert sampler(counts).batches(1) == sampler(counts).batches(1)
    rows = [[draw.row for batch in made.batches(epoch) for draw in batch] for made, epoch in (
        (sampler(counts), 0), (sampler(counts), 1), (sampler(counts, seed=1), 0))]  # fmt: skip
    assert rows[0] != rows[1]
    assert rows[0] != rows[2]


def test_every_place_of_an_epoch_is_its_own() -> None:
    draws = [draw for batch in sampler([6] * 6).batches(2) for draw in batch]
    assert [draw.place for draw in draws] == list(range(len(draws)))
    assert {draw.epoch for draw in draws} == {2}


def test_the_epoch_of_veri_has_about_280_steps() -> None:
    """576 vehicles, 37,778 pictures, 16 x 8: the design's figure, from sizes spread as evenly as they go."""
    counts = [37_778 // 576 + (i < 37_778 % 576) for i in range(576)]
    assert 270 <= len(sampler(counts, p=16, k=8).batches(0)) <= 295
    assert len(sampler(counts, p=16, k=8, epoch="one-group").batches(0)) == 36


def test_too_few_vehicles_for_one_batch_are_refused() -> None:
    with pytest.raises(ClipsenetError, match=r"2 training vehicles, wanted at least sampler.vehicles=3"):
        sampler([5, 5])
