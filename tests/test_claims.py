"""Several processes share out work through files: each piece is done once, and a dead one's is taken over."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from clipsenet import claims
from clipsenet.claims import claimed, holder
from clipsenet.errors import ClipsenetError

WORKER = """
import sys, time
from pathlib import Path
from clipsenet.claims import claimed
folder = Path(sys.argv[1])
for number in range(40):
    with claimed(folder / f"{number}.claim") as got:
        done = folder / f"{number}.done"
        if got and not done.exists():
            time.sleep(0.002)
            with done.open("a") as file:
                file.write(sys.argv[2])
"""


def test_a_claim_is_held_by_one_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "cell.claim"
    with claimed(path) as first:
        assert first
        assert holder(path) == f"{platform.node()}, process {os.getpid()}"
        with claimed(path) as second:
            assert not second
        assert path.exists(), "who did not get it does not give it back"
    assert not path.exists()
    assert holder(path) == ""
    with claimed(path) as again:
        assert again
    assert not list(tmp_path.iterdir()), "nothing is left lying about"


def test_it_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claimed(tmp_path / "a"):
        raise ZeroDivisionError
    assert not (tmp_path / "a").exists()


def test_many_processes_do_each_piece_once(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), name]) for name in "abc"]
    assert [one.wait() for one in workers] == [0, 0, 0]
    done = {path.name: path.read_text() for path in tmp_path.glob("*.done")}
    assert len(done) == 40
    assert all(len(text) == 1 for text in done.values()), "nobody did what another had done"


def test_the_claim_of_a_process_that_is_gone_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    program = (
        "import os, sys; from pathlib import Path; from clipsenet.claims import claimed\n"
        "with claimed(Path(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    assert path.exists()
    with claimed(path) as got:
        assert got
    path.write_text(json.dumps({"token": "x", "host": platform.node(), "process": os.getpid(), "start": "another"}))
    with claimed(path) as got:
        assert got, "the number was given to another process, which began at another time"


def test_a_step_of_the_clock_makes_nobody_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with claimed(tmp_path / "a"):
        now = psutil.Process.create_time
        monkeypatch.setattr(psutil.Process, "create_time", lambda self: now(self) + 3600)  # as psutil tells it after one
        if not Path("/proc/self/stat").exists():
            pytest.skip("only Linux counts from its start, and tells by its clock")
        with claimed(tmp_path / "a") as got:
            assert not got


def test_a_claim_of_an_older_version_counts_until_it_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(json.dumps({"token": "x", "host": platform.node(), "process": os.getpid(), "began": 1.0}))
    with claimed(path) as got:
        assert not got


def test_another_machines_claim_counts_until_it_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(json.dumps({"token": "x", "host": "elsewhere", "process": 1, "began": 1.0}))
    with claimed(path) as got:
        assert not got
    long_ago = time.time() - claims.SILENCE - 60
    os.utime(path, (long_ago, long_ago))
    with claimed(path) as got:
        assert got


def test_whoever_holds_a_claim_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with claimed(tmp_path / "a"):
        os.utime(tmp_path / "a", (1.0, 1.0))
        deadline = time.monotonic() + 30
        while (tmp_path / "a").stat().st_mtime == 1.0:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClipsenetError, match="cannot write"), claimed(tmp_path / "file" / "a"):
        pass
