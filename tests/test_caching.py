"""The cache of decoded pictures: the same tensors as without, whatever happens to files, entries, disk and processes."""

import errno
import json
import logging
import multiprocessing
import os
import pickle
import pickletools
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from clipsenet import caching, loading
from clipsenet.addresses import Addresses
from clipsenet.caching import CARD, FORMAT, USED, CacheSettings, PictureCache, make_cache
from clipsenet.errors import ClipsenetError
from clipsenet.features import extract
from clipsenet.images import PictureError, open_picture
from clipsenet.loading import Draw, SightingImages, in_order, make_loader
from clipsenet.protocol import Benchmark
from clipsenet.runs import Run
from clipsenet.sightings import WHOLE, Sightings
from clipsenet.transforms import ImageSettings, Transform, make_test_transform, make_train_transform

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)
HEAD = 32
"""Bytes of an entry before its pixels."""
LONG_AGO = 1_600_000_000_123_456_789
FORK = multiprocessing.get_context("fork")


def draw(path: Path, seed: int, width: int = 30, height: int = 26, time_ns: int = LONG_AGO) -> Path:
    """A picture of noise, last changed long ago."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    os.utime(path, ns=(time_ns, time_ns))
    return path


def drawn(folder: Path, count: int = 6, boxes: bool = True) -> Sightings:
    folder.mkdir(exist_ok=True)
    paths = [str(draw(folder / f"{number}.png", number)) for number in range(count)]
    return Sightings.of(paths, box=[[number % 3, 2, 20, 15] for number in range(count)] if boxes else None)


def entries(cache: PictureCache) -> list[Path]:
    return sorted(cache.folder.glob("??/*.rgb"))


def partials(cache: PictureCache) -> list[Path]:
    return sorted(cache.folder.rglob("*.partial"))


def opened(path: Path) -> Callable[[], Image.Image]:
    return lambda: open_picture(path)


def no_opening(*_: object) -> Image.Image:
    raise AssertionError("opened, though it is in the cache")


def same(one: Image.Image, other: Image.Image) -> bool:
    return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# ---- the same tensors

SIZED = ImageSettings(size=(24, 20), jitter=(0.3, 0.3, 0.2, 0.05), pad=4)
TRANSFORMS = {
    "test": make_test_transform(SIZED, MEAN, STD),
    "train": make_train_transform(SIZED, MEAN, STD),
    "random crop": make_train_transform(SIZED.model_copy(update={"crop_scale": (0.4, 1.0)}), MEAN, STD),
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_tensors_are_the_same_without_a_cache_with_a_cold_and_with_a_warm_one(
    tmp_path: Path, name: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sightings = drawn(tmp_path / "pictures")
    cache = PictureCache(tmp_path / "cache", 1.0)
    batches = [[Draw(row, epoch, row) for row in range(6)] for epoch in range(2)]

    def tensors(cache: PictureCache | None) -> list[torch.Tensor]:
        images = SightingImages(sightings, TRANSFORMS[name], 7, cache)
        return [batch for batch, _ in make_loader(images, batches, workers)]

    plain, cold = tensors(None), tensors(cache)
    monkeypatch.setattr(loading, "open_sighting", no_opening)
    warm = tensors(cache)
    for one, two, three in zip(plain, cold, warm, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert len(entries(cache)) == 6


def test_a_transform_is_its_two_parts_and_only_the_second_draws() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (31, 27, 3), dtype=np.uint8))
    for name, transform in TRANSFORMS.items():
        prepared = transform.prepare(image)
        assert same(prepared, transform.prepare(image))
        assert prepared.size == ((27, 31) if name == "random crop" else (20, 24))
        torch.manual_seed(3)
        whole = transform(image)
        torch.manual_seed(3)
        assert torch.equal(transform.finish(prepared), whole)


def test_training_and_test_share_what_is_resized_alike(tmp_path: Path) -> None:
    sightings, cache = drawn(tmp_path / "pictures"), PictureCache(tmp_path / "cache", 1.0)
    for name, count in (("train", 6), ("test", 6), ("random crop", 12)):
        images = SightingImages(sightings, TRANSFORMS[name], cache=cache)
        for row in range(6):
            assert images.is_cached(row) == (name == "test")
            images[row]
            assert images.is_cached(row)
        assert len(entries(cache)) == count


def test_embeddings_are_the_same_from_a_cache(tmp_path: Path, toy_run: Run) -> None:
    sightings, cache = drawn(tmp_path / "pictures"), PictureCache(tmp_path / "cache", 1.0)

    def embeddings(cache: PictureCache | None) -> np.ndarray:
        return extract(toy_run.model, sightings, toy_run.test_transform, "x", dim=toy_run.dim, cache=cache).embeddings

    plain = embeddings(None)
    assert np.array_equal(embeddings(cache), plain)
    assert len(entries(cache)) == 6
    assert np.array_equal(embeddings(cache), plain)


# ---- the key


def test_a_file_that_changed_is_opened_again_and_its_entry_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, path = PictureCache(tmp_path / "cache", 1.0), tmp_path / "a.bmp"  # as many bytes whatever it shows
    first = cache.fetch(str(draw(path, 1)), WHOLE, "as it is", opened(path))
    for seed, time_ns, width in ((2, LONG_AGO + 1, 30), (3, LONG_AGO + 1, 31), (4, LONG_AGO - 10**9, 31)):
        draw(path, seed, width, time_ns=time_ns)
        assert cache.find(str(path), WHOLE, "as it is") is None
        changed = cache.fetch(str(path), WHOLE, "as it is", opened(path))
        assert same(changed, open_picture(path))
        assert not same(changed, first)
        assert same(cache.fetch(str(path), WHOLE, "as it is", no_opening), changed)
        assert len(entries(cache)) == 1
    monkeypatch.setattr(PIL, "__version__", "0.1")  # another one may decode to other pixels
    assert cache.find(str(path), WHOLE, "as it is") is None


def test_box_size_and_interpolation_have_entries_of_their_own(tmp_path: Path) -> None:
    cache, path = PictureCache(tmp_path / "cache", 1.0), draw(tmp_path / "a.png", 1)
    seen: list[tuple[tuple[int, int, int, int], Transform, Image.Image]] = []
    for box in (WHOLE, (0, 0, 20, 15), (1, 0, 20, 15)):
        for change in ({}, {"size": (20, 24)}, {"interpolation": "bilinear"}, {"crop_scale": (0.5, 1.0)}):
            transform = make_train_transform(SIZED.model_copy(update=change), MEAN, STD)
            made = transform.prepare(open_picture(path, box))
            assert same(cache.fetch(str(path), box, transform.prepared, lambda made=made: made), made)
            seen.append((box, transform, made))
    assert len(entries(cache)) == len(seen) == 12
    for box, transform, made in seen:
        assert same(cache.fetch(str(path), box, transform.prepared, no_opening), made)


def test_a_relative_path_is_told_from_another_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PictureCache(tmp_path / "cache", 1.0)
    for seed, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        draw(tmp_path / name / "a.bmp", seed)
        monkeypatch.chdir(tmp_path / name)
        found = cache.fetch("a.bmp", WHOLE, "as it is", opened(Path("a.bmp")))
        assert same(found, open_picture("a.bmp"))


def test_a_file_changed_a_moment_ago_is_not_stored_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, path = PictureCache(tmp_path / "cache", 1.0), draw(tmp_path / "a.png", 1)
    age = time.time() - LONG_AGO / 1e9
    monkeypatch.setattr(caching, "UNSETTLED", age + 1000)
    cache.fetch(str(path), WHOLE, "as it is", opened(path))
    assert entries(cache) == []
    monkeypatch.setattr(caching, "UNSETTLED", age - 1000)
    cache.fetch(str(path), WHOLE, "as it is", opened(path))
    assert len(entries(cache)) == 1


def test_a_file_that_changes_while_it_is_read_is_not_stored(tmp_path: Path) -> None:
    cache, path = PictureCache(tmp_path / "cache", 1.0), draw(tmp_path / "a.bmp", 1)

    def make() -> Image.Image:
        image = open_picture(path)
        draw(path, 2, time_ns=LONG_AGO + 1)
        return image

    cache.fetch(str(path), WHOLE, "as it is", make)
    assert entries(cache) == []


def test_a_file_that_is_gone_is_missing_with_a_cache_too(tmp_path: Path) -> None:
    sightings, cache = drawn(tmp_path / "pictures"), PictureCache(tmp_path / "cache", 1.0)
    images = SightingImages(sightings, TRANSFORMS["train"], cache=cache)
    images[0]
    (tmp_path / "pictures" / "0.png").unlink()
    assert not images.is_cached(0)
    with pytest.raises(PictureError, match=r"0\.png: no such file"):
        images[0]


# ---- damage, limit, full disk

DAMAGES = {
    **{f"byte {place}": place for place in (0, 3, 4, 19, 20, 24, 28, 31, 32, 500, -1)},
    **{f"cut to {length}": slice(length) for length in (0, 1, 27, 28, 31, 32, 33, -1)},
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_entry_is_found_out_and_replaced(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    cache, path = PictureCache(tmp_path / "cache", 1.0), draw(tmp_path / "a.png", 1)
    whole = cache.fetch(str(path), WHOLE, "as it is", opened(path))
    (entry,) = entries(cache)
    good = entry.read_bytes()
    assert len(good) == HEAD + 30 * 26 * 3
    where = DAMAGES[damage]
    if isinstance(where, slice):
        bad = good[where]
    else:
        changed = bytearray(good)
        changed[where] ^= 0x41
        bad = bytes(changed)
    for _ in range(2):
        entry.write_bytes(bad)
        assert cache.find(str(path), WHOLE, "as it is") is None
        assert same(cache.fetch(str(path), WHOLE, "as it is", opened(path)), whole)
        assert entry.read_bytes() == good
    assert len(warnings_in(caplog)) == 1
    assert "is damaged and is made again" in warnings_in(caplog)[0]


def test_an_entry_that_is_too_long_is_damaged(tmp_path: Path) -> None:
    cache, path = PictureCache(tmp_path / "cache", 1.0), draw(tmp_path / "a.png", 1)
    cache.fetch(str(path), WHOLE, "as it is", opened(path))
    (entry,) = entries(cache)
    entry.write_bytes(entry.read_bytes() + b"x")
    assert cache.find(str(path), WHOLE, "as it is") is None


def test_at_the_limit_nothing_more_is_stored_and_nothing_thrown_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sightings = drawn(tmp_path / "pictures", 10)
    size = HEAD + 24 * 20 * 3
    cache = PictureCache(tmp_path / "cache", (3 * size + size // 2) / 1e9)
    images, plain = (SightingImages(sightings, TRANSFORMS["train"], 7, one) for one in (cache, None))
    for epoch in range(2):
        for row in range(10):
            draw_ = Draw(row, epoch, row)
            assert torch.equal(images[draw_][0], plain[draw_][0])
        assert [row for row in range(10) if images.is_cached(row)] == [0, 1, 2]
    assert sum(entry.stat().st_size for entry in entries(cache)) == 3 * size
    assert len(warnings_in(caplog)) == 1
    assert "is full" in warnings_in(caplog)[0]
    # what is there already may be replaced
    path = tmp_path / "pictures" / "1.png"
    draw(path, 99, time_ns=LONG_AGO + 1)
    assert not images.is_cached(1)
    images[1]
    assert images.is_cached(1)
    # a larger limit, and another object on the same folder, go on from there
    more = SightingImages(sightings, TRANSFORMS["train"], 7, PictureCache(cache.folder, (5 * size + 1) / 1e9))
    for row in range(10):
        more[row]
    assert [row for row in range(10) if more.is_cached(row)] == [0, 1, 2, 3, 4]


def test_the_limit_holds_for_all_who_share_the_folder(tmp_path: Path) -> None:
    sightings = drawn(tmp_path / "pictures", 12)
    size = HEAD + 24 * 20 * 3
    caches = [PictureCache(tmp_path / "cache", 7.5 * size / 1e9) for _ in range(2)]
    images = [SightingImages(sightings, TRANSFORMS["train"], 7, cache) for cache in caches]
    for row in range(12):
        images[row % 2][row]
    assert len(entries(caches[0])) == 7


@pytest.mark.parametrize("content", [None, b"", b"\0\0\0"])
def test_a_lost_count_is_counted_anew(tmp_path: Path, content: bytes | None) -> None:
    sightings = drawn(tmp_path / "pictures", 4)
    size = HEAD + 24 * 20 * 3
    cache = PictureCache(tmp_path / "cache", 2.5 * size / 1e9)
    images = SightingImages(sightings, TRANSFORMS["train"], 7, cache)
    images[0]
    if content is None:
        (cache.folder / USED).unlink()
    else:
        (cache.folder / USED).write_bytes(content)
    for row in range(4):
        images[row]
    assert len(entries(cache)) == 2


class HalfWritten:
    """A file that takes half of what it is given, and then does ``then``."""

    def __init__(self, path: Path, then: Callable[[], None]) -> None:
        self.file = path.open("wb")
        self.then = then

    def __enter__(self) -> "HalfWritten":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> int:
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        self.then()
        raise AssertionError


def no_space() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def break_writes(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """From now on nothing new can be written whole."""
    real = Path.open

    def open_(self: Path, mode: str = "r", *rest: object, **named: object) -> object:
        return HalfWritten(self, then) if mode == "xb" else real(self, mode, *rest, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", open_)


def test_a_full_disk_is_said_once_and_costs_only_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sightings, cache = drawn(tmp_path / "pictures"), PictureCache(tmp_path / "cache", 1.0)
    images, plain = (SightingImages(sightings, TRANSFORMS["train"], 7, one) for one in (cache, None))
    images[0]
    with monkeypatch.context() as patch:
        break_writes(patch, no_space)
        for row in range(6):
            assert torch.equal(images[row][0], plain[row][0])
        assert partials(cache) == []
    (said,) = warnings_in(caplog)
    assert "stores nothing more: [Errno 28] No space left on device; the training goes on without" in said
    for row in range(6):
        images[row]
    assert [row for row in range(6) if images.is_cached(row)] == [0]  # there is room again, but this training is through
    again = SightingImages(sightings, TRANSFORMS["train"], 7, PictureCache(cache.folder, 1.0))
    for row in range(6):
        again[row]
    assert len(entries(cache)) == 6
    assert len(warnings_in(caplog)) == 1


def test_a_disk_that_is_full_from_the_start_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sightings = drawn(tmp_path / "pictures")
    break_writes(monkeypatch, no_space)
    cache = PictureCache(tmp_path / "cache", 1.0)
    images, plain = (SightingImages(sightings, TRANSFORMS["train"], 7, one) for one in (cache, None))
    assert torch.equal(images[0][0], plain[0][0])
    assert len(warnings_in(caplog)) == 1


def test_what_one_worker_has_said_the_next_does_not_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sightings, cache = drawn(tmp_path / "pictures"), PictureCache(tmp_path / "cache", 1.0)
    images = SightingImages(sightings, TRANSFORMS["train"], 7, cache)
    handler = logging.FileHandler(tmp_path / "log.txt")  # which forked workers write to, too
    caching.log.addHandler(handler)
    try:
        break_writes(monkeypatch, no_space)
        for _ in range(2):
            assert len(list(make_loader(images, in_order(6, 2), 1))) == 3
    finally:
        caching.log.removeHandler(handler)
        handler.close()
    assert (tmp_path / "log.txt").read_text().count("stores nothing more") == 1


def test_a_cache_that_was_deleted_meanwhile_stays_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sightings, cache = drawn(tmp_path / "pictures"), PictureCache(tmp_path / "cache", 1.0)
    images = SightingImages(sightings, TRANSFORMS["train"], 7, cache)
    cache.folder.rename(tmp_path / "elsewhere")
    for row in range(6):
        images[row]
    assert entries(cache) == []
    assert len(warnings_in(caplog)) == 1


# ---- several processes, and kills


def fetch_all(cache: PictureCache, sightings: Sightings, order: list[int]) -> None:
    images = SightingImages(sightings, TRANSFORMS["test"], cache=cache)
    plain = SightingImages(sightings, TRANSFORMS["test"])
    wrong = sum(not torch.equal(images[row][0], plain[row][0]) for row in order)
    os._exit(wrong)


def test_processes_that_write_the_same_entries_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sightings, cache = drawn(tmp_path / "pictures", 40), PictureCache(tmp_path / "cache", 1.0)
    order = list(range(40))
    processes = [FORK.Process(target=fetch_all, args=(cache, sightings, order)) for _ in range(3)]
    processes.append(FORK.Process(target=fetch_all, args=(PictureCache(cache.folder, 1.0), sightings, order[::-1])))
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    plain = SightingImages(sightings, TRANSFORMS["test"])
    wanted = [plain[row][0] for row in range(40)]
    monkeypatch.setattr(loading, "open_sighting", no_opening)
    images = SightingImages(sightings, TRANSFORMS["test"], cache=cache)
    assert all(torch.equal(images[row][0], wanted[row]) for row in range(40))
    assert len(entries(cache)) == 40
    assert partials(cache) == []
    assert warnings_in(caplog) == []


def test_many_make_the_folder_at_once(tmp_path: Path) -> None:
    def make() -> None:
        PictureCache(tmp_path / "cache", 1.0)
        os._exit(0)

    processes = [FORK.Process(target=make) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    assert json.loads((tmp_path / "cache" / CARD).read_text())["format"] == FORMAT


def large(number: int) -> Image.Image:
    """A picture that takes several writes of the system; which one it is stands in every pixel."""
    return Image.new("RGB", (600, 600), (number % 256, number // 256, 7))


def store_forever(cache: PictureCache, path: Path) -> None:
    number = 0
    while True:
        cache.fetch(str(path), WHOLE, str(number), lambda: large(number))  # noqa: B023 - called at once
        number += 1


def test_a_killed_writer_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, folder = draw(tmp_path / "a.png", 1), tmp_path / "cache"
    for number in range(6):
        cache = PictureCache(folder, 1.0)
        before = len(entries(cache))
        child = FORK.Process(target=store_forever, args=(cache, path))
        child.start()
        while len(entries(cache)) < before + 4 and child.is_alive():
            time.sleep(0.001 * (number % 3))
        os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]
        child.join()
        assert child.exitcode == -signal.SIGKILL
    cache = PictureCache(folder, 1.0)
    numbers = range(len(entries(cache)) + 1)
    found = [cache.find(str(path), WHOLE, str(number)) for number in numbers]
    assert found[-1] is None
    assert all(image is not None and same(image, large(number)) for number, image in enumerate(found[:-1]))
    assert warnings_in(caplog) == []
    # what they left beside is thrown away when it is old, and the count is right again
    monkeypatch.setattr(caching, "STALE", -1.0)
    cache = PictureCache(folder, 1.0)
    assert partials(cache) == []
    assert int((folder / USED).read_bytes()) == sum(entry.stat().st_size for entry in entries(cache))


def test_a_kill_in_the_middle_of_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, cache = draw(tmp_path / "a.png", 1), PictureCache(tmp_path / "cache", 1.0)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def store() -> None:
        break_writes(monkeypatch, die)
        cache.fetch(str(path), WHOLE, "as it is", opened(path))

    child = FORK.Process(target=store)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert len(partials(cache)) == 1
    assert entries(cache) == []
    assert cache.find(str(path), WHOLE, "as it is") is None
    # neither the half file nor the lock that the dead one held is in the way
    cache.fetch(str(path), WHOLE, "as it is", opened(path))
    assert same(cache.fetch(str(path), WHOLE, "as it is", no_opening), open_picture(path))
    assert warnings_in(caplog) == []
    assert len(partials(PictureCache(cache.folder, 1.0))) == 1  # another training may be writing it just now


def test_a_lock_that_is_never_let_go_costs_only_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, cache = draw(tmp_path / "a.png", 1), PictureCache(tmp_path / "cache", 1.0)
    held, enough = FORK.Event(), FORK.Event()

    def hold() -> None:
        with cache._lock():
            held.set()
            enough.wait()

    child = FORK.Process(target=hold)
    child.start()
    try:
        assert held.wait(60)
        monkeypatch.setattr(caching, "PATIENCE", 0.01)
        assert same(cache.fetch(str(path), WHOLE, "as it is", opened(path)), open_picture(path))
    finally:
        enough.set()
        child.join()
    assert entries(cache) == []
    assert len(warnings_in(caplog)) == 1


# ---- the folder


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ClipsenetError, match=r"is no picture cache: found 'notes\.txt' and no clipsenet-cache\.json; give"):
        PictureCache(tmp_path, 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ClipsenetError, match="cannot make the cache"):
        PictureCache(tmp_path / "notes.txt", 1.0)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (json.dumps({"format": FORMAT + 1}), f"has format {FORMAT + 1}, this version reads up to {FORMAT}: update"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged"),
        ('{"format": null}', "is damaged"),
    ],
)
def test_a_newer_or_damaged_card_is_refused(tmp_path: Path, card: str, message: str) -> None:
    PictureCache(tmp_path / "cache", 1.0)
    (tmp_path / "cache" / CARD).write_text(card)
    with pytest.raises(ClipsenetError, match=message):
        PictureCache(tmp_path / "cache", 1.0)


def test_a_folder_whose_card_was_on_its_way_when_its_maker_was_killed_is_taken(tmp_path: Path) -> None:
    (tmp_path / f".{CARD}.1-00.partial").write_text("{")
    PictureCache(tmp_path, 1.0)
    assert json.loads((tmp_path / CARD).read_text())["format"] == FORMAT


def test_settings_without_a_folder_make_no_cache(tmp_path: Path) -> None:
    assert make_cache(CacheSettings()) is None
    cache = make_cache(CacheSettings.from_values({"folder": str(tmp_path / "c"), "limit_gb": 2}, "here"))
    assert cache is not None
    assert (cache.folder, cache.limit) == (tmp_path / "c", 2_000_000_000)
    assert (tmp_path / "c" / CARD).is_file()


# ---- what a worker takes

NAMES = ["a.png", "b/ü 車.png", "", "/elsewhere/c.png", "bad\udcff.png"]


def test_addresses_tell_what_sightings_tell() -> None:
    boxes = [[1, 2, 3, 4], list(WHOLE), [0, 0, 9, 9], [5, 6, 2**40, 8], [0, 0, 1, 1]]
    plain = replace(Sightings.of(NAMES), folder="/data", source="list.csv", line=np.array([2, 0, 4, 5, 6]))
    for sightings in (plain, replace(plain, box=np.array(boxes)), Sightings.of(NAMES)):
        addresses = Addresses.of(sightings)
        assert len(addresses) == 5
        for row in range(5):
            assert addresses.file(row) == sightings.file(row)
            assert addresses.describe(row) == sightings.describe(row)
            assert addresses.box_of(row) == sightings.box_of(row)
    assert len(Addresses.of(Sightings.of([]))) == 0


def test_a_worker_holds_no_python_object_for_a_row(tmp_path: Path) -> None:
    cache = PictureCache(tmp_path / "cache", 1.0)

    def objects(rows: int) -> int:
        """How many steps it takes to pickle the data set: one for each object, one for all bytes of an array."""
        names = [f"{row:06d}" for row in range(rows)]
        sightings = Sightings.of(
            names, vehicle=names, camera=names, view=names, track=names, box=[[1, 2, 3, 4]] * rows, extra={"name": names}
        )
        images = loading._Guarded(SightingImages(sightings, TRANSFORMS["train"], cache=cache))
        return sum(1 for _ in pickletools.genops(pickle.dumps(images, protocol=3)))  # later ones count frames

    assert objects(3) == objects(3000)


def test_a_data_set_that_was_pickled_gives_the_same_and_shares_the_cache(tmp_path: Path, toy_benchmark: Benchmark) -> None:
    cache = PictureCache(tmp_path / "cache", 1.0)
    images = SightingImages(drawn(tmp_path / "pictures"), TRANSFORMS["random crop"], 3, cache)
    again = pickle.loads(pickle.dumps(images))
    for row in range(6):
        assert torch.equal(again[row][0], images[row][0])
        assert again.is_cached(row)
