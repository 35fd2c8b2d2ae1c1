"""The report in a browser: on a phone and on a desk nothing is cut off, nothing fails, nothing is asked of a network."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clipsenet.protocol import Benchmark
from clipsenet.reports.choices import Choices
from clipsenet.reports.writing import write_report
from clipsenet.runs import Run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: apt install chromium)"),
]

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --allow-file-access-from-files --enable-logging=stderr "
    "--virtual-time-budget=10000 --window-size=1400,2400"
)

LOOKING = """<iframe id="page" src="{page}" width="{width}" height="2000"></iframe>
<script>
onload = () => {{
  const inside = document.getElementById("page").contentWindow, page = inside.document, pictures = [...page.images];
  pictures.forEach(one => one.loading = "eager");
  const settled = () => pictures.every(one => one.complete) ? tell() : setTimeout(settled, 50);
  const tell = () => document.title = JSON.stringify({{
    width: page.documentElement.scrollWidth,
    pictures: pictures.length,
    broken: pictures.filter(one => !one.naturalWidth).map(one => one.getAttribute("src")),
    asked: inside.performance.getEntriesByType("resource").map(one => one.name),
    heading: page.querySelector("h1")?.textContent ?? "",
  }});
  settled();
}};
</script>
"""


def looked_at(page: Path, width: int, folder: Path) -> dict[str, Any]:
    """What a browser makes of a page that is so many pixels wide."""
    wrapper = folder / "looking.html"
    wrapper.write_text(LOOKING.format(page=page.as_uri(), width=width))
    command = [str(CHROMIUM), *FLAGS.split(), f"--user-data-dir={folder / 'profile'}", "--dump-dom", wrapper.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*)</title>", done.stdout)
    assert title is not None, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(title.group(1).replace("&amp;", "&"))
    found["console"] = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return found


@pytest.fixture(scope="module")
def page(toy_run: Run, toy_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser") / "report"
    write_report([("toy", toy_run)], toy_benchmark, folder, Choices(worst=4, maps=2))
    return folder / "index.html"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_fits_and_asks_nothing_of_a_network(page: Path, width: int, tmp_path: Path) -> None:
    found = looked_at(page, width, tmp_path)
    assert found["heading"] == "toy on toy"
    assert found["console"] == []
    assert found["width"] <= width, "nothing is cut off at the right"
    assert found["pictures"] > 20
    assert found["broken"] == []
    assert found["asked"] == [], "files of a disk are not listed, all else is"


def test_what_the_browser_would_find(tmp_path: Path) -> None:
    """The check sees a message, a broken picture, a request, and a page that is too wide."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<h1>bad</h1><img src='none.png'><img src='http://127.0.0.1:9/x.png'><div style='width:900px'>wide</div>"
        "<script>console.error('a message')</script>"
    )
    found = looked_at(page, 390, tmp_path)
    assert any("a message" in line for line in found["console"])
    assert found["broken"] == ["none.png", "http://127.0.0.1:9/x.png"]
    assert "http://127.0.0.1:9/x.png" in found["asked"]
    assert found["width"] >= 900
