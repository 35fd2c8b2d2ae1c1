"""Who is taken for whom: counted by hand on five pictures, and drawn."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsenet.confusion import confuse, known_lookalikes
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.figures.confusion import choose_confused, draw_confusion
from clipsenet.protocol import Protocol
from clipsenet.sightings import Sightings, Trial
from clipsenet.trials import Evaluation, search

VEHICLES = ["a", "b", "c", "a", "b", "c"]


def made(angles: list[float], alike: list[str] | None = None) -> Evaluation:
    """Three queries a, b, c before camera 0 against a, b, c before camera 1, at these angles."""
    extra = {} if alike is None else {"lookalikes": alike * 2}
    pictures = Sightings.of([f"{n}.jpg" for n in range(6)], vehicle=VEHICLES, camera=["0"] * 3 + ["1"] * 3, extra=extra)
    turn = np.radians(angles)
    vectors = np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    trial = Trial(np.arange(3), np.arange(3, 6))
    return search(Features(pictures, vectors, "made"), (trial,), Protocol())["same-camera"]


def test_first_answers_are_counted() -> None:
    """The query a lies beside b, b beside b, c beside b."""
    found = confuse(made([10, 12, 13, 60, 12, 90], ["b", "a", ""]))
    assert (found.queries, found.wrong, found.lookalikes) == (3, 2, 1)
    assert found.pairs() == [("a", "b", 1), ("c", "b", 1)]
    # of a's two other gallery pictures one is a look-alike, of c's none: the mean of 1/2 and 0
    assert found.chance == pytest.approx(0.25)
    assert found.answers["b"] == {"b": 1}


def test_without_a_list_of_lookalikes_nothing_is_said_of_them() -> None:
    found = confuse(made([10, 12, 13, 60, 12, 90]))
    assert (found.lookalikes, found.chance, found.alike) == (None, None, {})
    empty = confuse(made([10, 12, 13, 60, 12, 90], ["", "", ""]))
    assert (empty.lookalikes, empty.chance) == (None, None), "a column that says nothing"
    right = confuse(made([0, 45, 90, 1, 46, 89], ["b", "a", ""]))
    assert (right.wrong, right.lookalikes, right.chance) == (0, 0, None)


def test_lookalikes_stand_beside_each_other_and_are_framed(tmp_path: Path) -> None:
    found = confuse(made([10, 12, 13, 60, 12, 90], ["b", "a", ""]))
    assert choose_confused(found) == ["a", "b", "c"]
    assert found.matrix(["a", "b", "c"]).tolist() == [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert choose_confused(found, most=2) == ["a", "b"]
    draw_confusion(found, tmp_path / "framed.png", caption="by what")
    unknown = confuse(made([10, 12, 13, 60, 12, 90]))
    draw_confusion(unknown, tmp_path / "plain.png", caption="by what")
    framed, plain = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int) for name in ("framed", "plain")
    )
    orange = [((image - (213, 94, 0)) ** 2).sum(axis=2) < 600 for image in (framed, plain)]
    assert orange[0].sum() > 100
    assert orange[1].sum() == 0
    with pytest.raises(ClipsenetError, match="no confusion to show: all 3 queries"):
        draw_confusion(confuse(made([0, 45, 90, 1, 46, 89])), tmp_path / "none.png")


def test_lookalikes_may_stand_on_any_of_a_vehicles_rows_and_names_may_hold_dollars(tmp_path: Path) -> None:
    pictures = Sightings.of(
        ["1", "2", "3"], vehicle=["a", "a", "b"], camera=["0", "1", "1"], extra={"lookalikes": ["", "b c", "a"]}
    )
    assert known_lookalikes(pictures) == {"a": frozenset({"b", "c"}), "b": frozenset({"a"})}
    vehicle = ["$x_$", "b$^", "c", "$x_$", "b$^", "c"]
    named = Sightings.of([f"{n}.jpg" for n in range(6)], vehicle=vehicle, camera=["0"] * 3 + ["1"] * 3)
    turn = np.radians([10, 12, 13, 60, 12, 90])
    vectors = np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    trial = Trial(np.arange(3), np.arange(3, 6))
    found = search(Features(named, vectors, "made"), (trial,), Protocol())["same-camera"]
    draw_confusion(confuse(found), tmp_path / "dollars.png", caption="a $strange_ name")


def test_known_lookalikes_of_drawn_vehicles(drawn_vehicles: Path) -> None:
    from clipsenet.datasets.manifest import ManifestSettings, read

    pictures = read(drawn_vehicles / "pictures.csv", ManifestSettings())
    alike = known_lookalikes(pictures)
    assert alike
    for one, others in alike.items():
        assert one not in others
        assert all(one in alike[other] for other in others)
