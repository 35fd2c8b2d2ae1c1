"""By which paths one picture is known, and that none of them is left in the audit when it is forgotten."""

import os
from pathlib import Path

import numpy as np
import pytest

from clipsenet.features import Features
from clipsenet.gallery.asking import ask
from clipsenet.gallery.audit import AUDIT, Audit
from clipsenet.gallery.interface import EVERYTHING, Filter
from clipsenet.gallery.local import create_gallery
from clipsenet.gallery.paths import full_path, known_as
from clipsenet.sightings import Sightings
from gallery_cases import RUN, embedding, unit


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, a link to the folder, a link to the picture, and a link that leads elsewhere."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "other" / "deep").mkdir(parents=True)
    for name in ("secret.jpg", "beside.jpg"):
        (folder / name).write_bytes(name.encode())
    (tmp_path / "other" / "secret.jpg").write_bytes(b"another one")
    (tmp_path / "link").symlink_to(folder)
    (folder / "short.jpg").symlink_to(folder / "secret.jpg")
    (folder / "away").symlink_to(tmp_path / "other" / "deep")
    monkeypatch.chdir(folder)
    return folder


def test_a_full_path_is_that_of_lists(pictures: Path) -> None:
    assert full_path("secret.jpg") == full_path(Path("../pictures/./secret.jpg")) == str(pictures / "secret.jpg")
    assert full_path(pictures.parent / "link" / "secret.jpg") == str(pictures.parent / "link" / "secret.jpg"), (
        "a link stays one"
    )
    assert full_path("gone/../gone.jpg") == str(pictures / "gone.jpg")
    really = full_path("away/../secret.jpg")
    assert Path(really).read_bytes() == b"another one", "as the system has it, which leaves the folder that the link leads to"


@pytest.mark.parametrize(
    "query",
    [
        "{0}/secret.jpg",
        "{0}/../pictures/secret.jpg",
        "{0}/deep/.././secret.jpg",
        "{0}/../link/secret.jpg",
        "{0}/short.jpg",
        "../link/short.jpg",
        "secret.jpg",
    ],
)
@pytest.mark.parametrize("indexed", ["{0}/secret.jpg", "{0}/../link/secret.jpg", "{0}/short.jpg"])
def test_no_path_of_a_forgotten_picture_is_left(pictures: Path, tmp_path: Path, query: str, indexed: str) -> None:
    rng = np.random.default_rng(0)
    paths = [indexed.format(pictures), str(pictures / "beside.jpg")]
    with create_gallery(tmp_path / "g", embedding()) as gallery:
        gallery.add(Features(Sightings.of(paths, extra={"type": ["van", "bus"]}), unit(rng, 2), RUN), ["a", "b"])
        asked = [query.format(pictures), "beside.jpg", str(tmp_path / "other" / "secret.jpg")]
        ask(gallery, Features(Sightings.of(asked), unit(rng, 3), RUN))
        gallery.forget(Filter(equal=(("type", "van"),)))
        assert gallery.audit.entries()[0].queries == [None, *asked[1:]]
        assert gallery.audit.verify() == []


def test_what_is_forgotten_need_not_be_there_any_longer(pictures: Path) -> None:
    audit = Audit(pictures)
    audit.append(purpose="", where=EVERYTHING, queries=["../pictures/secret.jpg", "a\0b.jpg"], results=[[], []])
    for name in ("secret.jpg", "short.jpg"):
        (pictures / name).unlink()
    audit.forget(paths=[f"{pictures}/secret.jpg", "a\0b.jpg", "x\0y/z.jpg"])
    assert audit.entries()[0].queries == [None, None]
    assert b"secret" not in (pictures / AUDIT).read_bytes()


def test_known_as_is_what_the_system_says(pictures: Path) -> None:
    tried = ["secret.jpg", "../link/short.jpg", "away/../secret.jpg", "gone.jpg", str(pictures), "..", "/", "deep/", "away"]
    for path, names in zip(tried, known_as(tried), strict=True):
        assert {path, os.path.abspath(path), os.path.realpath(path)} <= names
        assert names <= {path, os.path.abspath(path), os.path.realpath(path), os.path.realpath(os.path.abspath(path))}
