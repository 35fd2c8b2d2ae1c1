"""Films: boxes of frames in MOT's columns, and the best pictures of a track."""

import csv
import time
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsenet.datasets.films import read_films
from clipsenet.errors import ClipsenetError
from clipsenet.features import extract
from clipsenet.gallery.asking import ask
from clipsenet.gallery.choosing import best_of_tracks
from clipsenet.gallery.embedding import embedding_of
from clipsenet.gallery.ingesting import index
from clipsenet.gallery.local import create_gallery
from clipsenet.quality import measure_qualities
from clipsenet.runs import Run
from clipsenet.sightings import NO_TIME, Sightings
from clipsenet.synthetic.drawing import draw
from clipsenet.synthetic.plan import Plan
from clipsenet.tables import microseconds_of
from conftest import ROOT
from fake_studio import FakeStudio

ABOUT = "[Sequence]\nname=gate\nimDir=img1\nframeRate=25\nseqLength=9\nimWidth=200\nimHeight=100\nimExt=.jpg\n"


def film(root: Path, lines: str, about: str = ABOUT, name: str = "gate", list_: str = "gt/gt.txt") -> Path:
    folder = root / name
    (folder / list_).parent.mkdir(parents=True, exist_ok=True)
    (folder / list_).write_text(lines)
    (folder / "seqinfo.ini").write_text(about)
    return folder


def test_drawn_films_give_their_boxes_tracks_and_times(tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    draw(Plan(vehicles=6, cameras=2, pictures=8, frames=True, validation=0.0), root, processes=1, opening=FakeStudio)
    found = read_films(root)
    with (root / "pictures.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] not in ("", "query")]  # hidden ones are left out
    assert len(found) == len(rows)
    told = {(row["path"], row["camera"], row["time"], int(row["vehicle"])): row for row in rows}
    for number in range(len(found)):
        row = (
            str(Path(found.file(number)).relative_to(root.resolve())),
            str(found.camera.texts()[number]),
            int(found.time[number]),
            int(str(found.track.texts()[number]).rpartition("_")[2]),
        )
        (match,) = [key for key in told if (*key[:2], microseconds_of(key[2]), key[3]) == row]
        wanted = [float(told[match][name]) for name in ("x", "y", "width", "height")]
        assert found.box_of(number) == pytest.approx(wanted, abs=2.01)  # outwards to whole pixels
    track = str(found.track.names[0])
    assert track.startswith("c001_2026")
    assert read_films(root / "frames").path.tolist() == found.path.tolist()
    assert set(read_films(root / "frames" / "c002").camera.names) == {"c002"}


def test_a_box_is_cut_at_the_frames_edge_and_counts_from_one(tmp_path: Path) -> None:
    film(tmp_path, "1,7,1,1,50,40,1,3,1\n3,7,-9,-4,50,40,1,3,-1\n4,7,181.5,81.25,50,40\n")
    found = read_films(tmp_path)
    assert found.box is not None
    assert found.box.tolist() == [[0, 0, 50, 40], [0, 0, 40, 35], [180, 80, 20, 20]]
    assert set(found.track.names) == {"gate_7"}
    assert (found.time == NO_TIME).all()
    assert found.column("frame").tolist() == ["1", "3", "4"]
    assert found.file(1) == str(tmp_path.resolve() / "gate" / "img1" / "000003.jpg")


def test_a_beginning_dates_each_frame_and_names_the_tracks(tmp_path: Path) -> None:
    film(tmp_path, "1,7,1,1,50,40,1\n26,7,1,1,50,40,1\n")
    began = microseconds_of("2026-05-01T08:30:00+02:00")
    found = read_films(tmp_path, began)
    assert found.time.tolist() == [began, began + 1_000_000]
    assert found.track.names == ("gate_20260501T063000_7",)
    own = film(tmp_path, "1,7,1,1,50,40,1\n", ABOUT + "began=2026-05-02T00:00:00Z\n", name="own")
    assert read_films(own, began).time.tolist() == [microseconds_of("2026-05-02T00:00:00+00:00")]


def test_what_does_not_count_is_left_out(tmp_path: Path) -> None:
    film(tmp_path, "1,1,1,1,9,9,0,3,1\n1,2,1,1,9,9,1,3,0.2\n1,3,1,1,9,9,1,3,0.4\n1,-1,1,1,9,9,1,3,1\n")
    assert read_films(tmp_path).track.texts().tolist() == ["gate_3", ""]
    film(tmp_path, "1,-1,1,1,9,9,0,-1,-1,-1\n", name="seen", list_="det/det.txt")
    assert read_films(tmp_path / "seen").column("class").tolist() == [""]


@pytest.mark.parametrize(
    ("line", "about", "message"),
    [
        ("1,7,300,1,50,40,1", ABOUT, "gt.txt, line 2: the box 300, 1, 50, 40 has no part in the frame of 200 x 100 pixels"),
        ("1,7,3", ABOUT, "gt.txt, line 2: found '1,7,3'"),
        ("0,7,1,1,5,5,1", ABOUT, "wanted a frame from 1"),
        ("1,7,1,1,nan,5,1", ABOUT, "finite numbers"),
        ("1,7,1,1,5,5,1", ABOUT + "began=2026-05-01T08:30:00\n", "no time zone"),
        ("1,7,1,1,5,5,1", ABOUT.replace("frameRate=25", "frameRate=0"), "frameRate=0, wanted more than 0"),
        ("1,7,1,1,5,5,1", "imDir=img1\n", "seqinfo.ini"),
        ("1,7,1,1,5,5,1", ABOUT.replace("imExt=.jpg\n", ""), "'imExt'; wanted"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, about: str, message: str) -> None:
    film(tmp_path, f"1,1,1,1,5,5,1\n{line}\n", about)
    with pytest.raises(ClipsenetError, match=r"wanted|remove") as error:
        read_films(tmp_path)
    assert message in str(error.value)


def test_no_film_and_no_boxes_are_said(tmp_path: Path) -> None:
    with pytest.raises(ClipsenetError, match=r"no film in .*seqinfo\.ini"):
        read_films(tmp_path)
    folder = film(tmp_path, "")
    with pytest.raises(ClipsenetError, match="no box in the films"):
        read_films(tmp_path)
    (folder / "gt" / "gt.txt").unlink()
    with pytest.raises(ClipsenetError, match=r"found none of gt/gt\.txt, det/det\.txt"):
        read_films(tmp_path)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["", "1", "2"]), st.sampled_from([0.1, 0.2, 0.3, np.nan]))
    ),
    st.integers(1, 3),
)
def test_the_best_of_each_track_are_kept(rows: list[tuple[str, str, float]], count: int) -> None:
    sightings = Sightings.of(
        [f"{n}.jpg" for n in range(len(rows))], camera=[row[0] for row in rows], track=[row[1] for row in rows]
    )
    groups: dict[object, list[int]] = defaultdict(list)
    for number, (camera, track, value) in enumerate(rows):
        if not np.isnan(value):
            groups[(camera, track) if track else number].append(number)
    wanted = [n for members in groups.values() for n in sorted(members, key=lambda n: (-rows[n][2], n))[:count]]
    quality = np.array([row[2] for row in rows], dtype=np.float32)
    assert best_of_tracks(sightings, quality, count).tolist() == sorted(wanted)


@pytest.fixture(scope="module")
def drawn_films(renderer: None, pytestconfig: pytest.Config) -> Path:
    """A tiny drawn film of each of two cameras, kept as long as the code that draws is the same."""
    code = sorted((ROOT / "src" / "clipsenet" / "synthetic").rglob("*.[pg][yl]*"))
    key = zlib.crc32(b"".join(path.read_bytes() for path in code if "__pycache__" not in path.parts))
    folder = pytestconfig.cache.mkdir("drawn-films") / f"{key:08x}"  # type: ignore[union-attr]
    plan = Plan(vehicles=2, cameras=2, pictures=4, frames=True, validation=0.0, test=1.0)
    while True:
        try:
            draw(plan, folder, processes=1)
            return folder
        except ClipsenetError as error:  # the other test process draws it
            if "another process draws" not in str(error) and "is not empty" not in str(error):
                raise
            time.sleep(0.2)


@pytest.mark.slow
def test_tracks_of_drawn_films_go_in_and_are_found(drawn_films: Path, toy_run: Run, tmp_path: Path) -> None:
    found = read_films(drawn_films)
    quality, broken = measure_qualities(found)
    assert broken == []
    kept = best_of_tracks(found, quality, 3)
    others = np.setdiff1d(np.arange(len(found)), kept)
    with create_gallery(tmp_path / "g", embedding_of(toy_run)) as gallery:
        assert index(toy_run, found[kept], gallery).added == len(kept)
        held = gallery.sightings(gallery.ids())
        tracks = set(zip(found.camera.texts().tolist(), found.track.texts().tolist(), strict=True))
        assert set(zip(held.camera.texts().tolist(), held.track.texts().tolist(), strict=True)) == tracks
        assert len(tracks) == 4, "each of two vehicles before each of two cameras"
        query = extract(toy_run.model, found[others], toy_run.test_transform, toy_run.id, dim=toy_run.dim)
        answers = ask(gallery, query, top=4, group="track")
    assert all(len(answer.hits) == 4 for answer in answers), "every track is an answer, once"
    own = [answer.hits[0].track == track for answer, track in zip(answers, query.sightings.column("track"), strict=True)]
    assert np.mean(own) > 0.6, "a picture that was not kept finds its own passage; by chance 0.25"
