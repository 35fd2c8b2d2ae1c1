import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch

from clipsenet.cli import main
from clipsenet.describing import Counts, Part, describe
from clipsenet.drawing import count, draw_svg, draw_text
from clipsenet.errors import ClipsenetError
from clipsenet.recipe import load_recipe
from conftest import ROOT
from test_tinyclip import published

FULL = ("model.appearance.weights=null", "model.semantics.weights=null")


def parts_of(*assignments: str) -> dict[str, Part]:
    parts = describe(load_recipe("veri776", [*FULL, *assignments]), Counts(576, 20, 8))
    return {part.name: part for part in parts}


def test_the_papers_network_as_its_code_runs() -> None:
    parts = parts_of()
    assert {name: part.inputs for name, part in parts.items()} == {
        "appearance": ("pictures",),
        "semantics": ("pictures",),
        "fusion": ("semantics", "appearance"),
        "afem": ("semantics",),
        "sum": ("fusion", "afem"),
        "places": ("sum", "labels"),
        "neck": ("places",),
        "classifier": ("neck",),
    }
    assert [part.symbol for part in parts.values()] == ["T_a", "T_s", "T_u", "T_s'", "T", "T", "", ""]
    assert [part.length for part in parts.values()] == [2048, 512, 2048, 2048, 2048, 2048, 2048, 576]
    assert sum(part.parameters for part in parts.values()) == 123_081_568 + 327_680
    assert parts["appearance"].multiply_adds / 1e9 == pytest.approx(20.3, abs=0.05)
    assert parts["semantics"].multiply_adds / 1e9 == pytest.approx(4.1, abs=0.05)
    coarse = parts_of("model.appearance.last_stride=2")
    assert coarse["appearance"].multiply_adds / 1e9 == pytest.approx(16.3, abs=0.05)


@pytest.mark.slow
def test_other_settings_flow_otherwise() -> None:
    parts = parts_of("model.afem.input=T_u", "model.places.on=T_a")
    assert parts["afem"].inputs == ("fusion",)
    assert parts["places"].inputs == ("appearance", "labels")
    assert parts["fusion"].inputs == ("semantics", "places")
    assert list(parts_of("model.appearance=null", "model.afem=null", "model.places=null", "model.dim=null")) == [
        "semantics",
        "neck",
        "classifier",
    ]


@pytest.mark.slow
def test_losses_that_learn_are_counted_where_they_stand() -> None:
    before = parts_of("losses.identity.on=before")
    assert before["classifier"].inputs == ("places",)
    proxies = parts_of("losses.metric={kind: metric-learning, name: ProxyAnchorLoss}")
    assert proxies["metric"].parameters == 576 * 2048
    assert proxies["metric"].inputs == ("places",)


def test_an_auto_pruned_tower_is_described_from_its_file(tmp_path: Path) -> None:
    torch.save(published(), tmp_path / "pruned.pt")
    pruned = ("model.semantics.tower=auto-pruned", "model.semantics.projection=7", "images.size=[64, 64]")
    parts = parts_of(f"model.semantics.weights={tmp_path / 'pruned.pt'}", *pruned)
    tower = [value for key, value in published().items() if ".visual." in key]
    assert parts["semantics"].parameters == sum(value.numel() for value in tower) + 7  # the head's bias
    with pytest.raises(ClipsenetError, match=r"model\.semantics\.weights: found no file none\.pt"):
        parts_of("model.semantics.weights=none.pt", *pruned)


def tiny(name: str, *inputs: str) -> Part:
    return Part(name, "x", "", 4, inputs, 0, 0)


def test_a_drawing_by_hand() -> None:
    drawn = draw_text([tiny("a", "pictures"), tiny("b", "a")], "3 x 8 x 8")
    lines = [line.strip() for line in drawn.splitlines()]
    assert [line.strip("│ ") for line in lines if line.startswith("│") and line.strip("│ ")] == [
        "picture",
        "3 x 8 x 8",
        "a: 4-d",
        "x",
        "b: 4-d",
        "x",
    ]
    assert lines.count("▼") == 2


SETTINGS = [
    (),
    ("model.afem.input=T_u",),
    ("model.places.on=T_a",),
    ("model.places.on=T_u", "model.afem.input=T_u"),
    ("model.afem=null",),
    ("model.places=null",),
]


@pytest.mark.parametrize("assignments", SETTINGS, ids="-".join)
def test_boxes_do_not_overlap_and_every_arrow_is_drawn(assignments: tuple[str, ...]) -> None:
    small = ("model.appearance.trunk=resnet10t", "model.semantics.tower=test_vit", "model.dim=64", "images.size=[64, 64]")
    parts = list(parts_of(*small, *assignments).values())
    arrows = sum(len(part.inputs) for part in parts)
    text = draw_text(parts, "3 x 320 x 320")
    assert text.count("▼") == arrows
    labels = any("labels" in part.inputs for part in parts)
    assert text.count("┌─────────────────────────────────┐") == len(parts) + 1 + labels
    assert max(map(len, text.splitlines())) < 120

    svg = ET.fromstring(draw_svg(parts, "3 x 320 x 320", "a < b & c"))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [
        tuple(float(one.attrib[key]) for key in ("x", "y", "width", "height"))
        for one in svg.iter(f"{space}rect")
        if "x" in one.attrib
    ]
    assert len(boxes) == len(parts) + 1 + labels
    for number, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[:number]:
            apart = x + width <= other_x or other_x + other_width <= x or y + height <= other_y or other_y + other_height <= y
            assert apart
    lines = [one.attrib["points"].split() for one in svg.iter(f"{space}polyline")]
    assert len(lines) == arrows
    for points in lines:  # each ends on the upper edge of a box, and begins on the lower edge of one
        (start_x, start_y), (end_x, end_y) = (tuple(map(float, point.split(","))) for point in (points[0], points[-1]))
        assert any(x < end_x < x + width and y == end_y for x, y, width, _ in boxes)
        assert any(x < start_x < x + width and y + height == start_y for x, y, width, height in boxes)


def test_the_drawing_in_the_docs_is_what_the_code_draws_today() -> None:
    drawn = draw_svg(list(parts_of().values()), "3 x 320 x 320", "veri776, as its code runs")
    assert (ROOT / "docs" / "clip-senet.svg").read_text(encoding="utf-8") == drawn


def test_large_numbers_in_three_digits() -> None:
    assert [count(number) for number in (7, 1_234, 20_301_414_400, 4_096_000)] == ["7", "1.23 k", "20.3 G", "4.1 M"]


@pytest.mark.slow
def test_describe_counts_what_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> str:
        with pytest.raises(SystemExit, match="0"):
            main(["describe", "veri776", *words])
        return capsys.readouterr().out

    alone = run("--svg", str(tmp_path / "net.svg"))
    assert "pass --vehicles" in alone
    assert "pass --cameras, --views" in alone
    assert re.search(r"AFEM holds 28\.\d% of the parameters and takes 0\.1% of the multiply-adds", alone)
    assert ET.parse(tmp_path / "net.svg").getroot().tag.endswith("svg")
    told = json.loads(run("--vehicles", "576", "--cameras", "20", "--views", "8", "--json"))
    assert told["parameters"] == 123_081_568 + 327_680
    assert told["parts"][2]["inputs"] == ["semantics", "appearance"]
