"""README says only what runs: its tree is the tree, its commands and its Python are run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import clipsenet
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language; every other fence closes one."""
    fenced = re.split(r"^```", README, flags=re.MULTILINE)[1::2]
    return [text.split("\n", 1)[1] for text in fenced if text.split("\n", 1)[0] == language]


def test_the_tree_is_the_tree() -> None:
    (tree,) = [text for text in blocks("") if "sightings.py" in text]
    named: set[str] = set()
    folders: list[str] = []
    for line in tree.splitlines():
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        folders = folders[: indent // 2]
        if name.endswith("/"):
            folders.append(name.rstrip("/"))
        else:
            named.add("/".join([*folders, name]))
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.py")}
    assert named == found


def test_every_recipe_is_named() -> None:
    for path in (ROOT / "recipes").glob("*.yaml"):
        assert path.stem in README


@pytest.mark.slow
def test_every_command_and_the_python_run_as_written(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    (commands,) = blocks("bash")
    searching, evaluating = blocks("python")
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "clipsenet"
        result = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, (line, result.stderr)
    for program, shown in ((searching, "1 "), (evaluating, "[[1.")):
        result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert shown in result.stdout


def test_every_public_name_is_there_and_documented() -> None:
    for name in clipsenet.__all__:
        assert getattr(clipsenet, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        clipsenet.nothing  # noqa: B018
