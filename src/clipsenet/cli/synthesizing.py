"""A command that draws vehicles: synthesize."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clipsenet.cli.opening import print_json
from clipsenet.cli.options import AsJson

if TYPE_CHECKING:
    from clipsenet.synthetic.drawing import Drawn


def synthesize(
    out_: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder, or one whose drawing was stopped.")],
    vehicles: Annotated[int, typer.Option(min=1, help="Vehicles; about half of them have a look-alike.")] = 200,
    cameras: Annotated[int, typer.Option(min=2, help="Cameras along a ring road.")] = 12,
    pictures: Annotated[int, typer.Option(min=2, help="Of each vehicle; with --frames, about so many frames show it.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Decides everything.")] = 0,
    layout: Annotated[
        Literal["manifest", "veri776"], typer.Option(help="pictures.csv, or VeRi-776's folders and lists beside it.")
    ] = "manifest",
    frames: Annotated[bool, typer.Option("--frames", help="Whole frames with boxes and tracks, in MOT's layout.")] = False,
    bodies: Annotated[Path | None, typer.Option("--bodies", metavar="DIR", help="Your own .obj, .glb, .ply as bodies.")] = None,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Share of the vehicles for validation.")] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of the vehicles for the test.")] = 0.4,
    size: Annotated[int, typer.Option(min=32, max=1024, help="Longest side of a picture, in pixels.")] = 256,
    processes: Annotated[int, typer.Option(min=1, help="That draw at once.")] = 2,
    json_: AsJson = False,
) -> None:
    """Draw a benchmark of vehicles seen by many cameras; a drawing that was stopped goes on."""
    from clipsenet.console import watching
    from clipsenet.synthetic.drawing import draw
    from clipsenet.synthetic.plan import Plan

    plan = Plan(vehicles, cameras, pictures, seed, layout, frames, validation, test, size, bodies)
    with watching() as watch:
        drawn = draw(plan, out_, processes, watch)
    word = shlex.quote(str(out_))
    next_ = f"clipsenet inspect veri776 {word}" if layout == "veri776" else f"clipsenet train demo --data {word}"
    if json_:
        print_json({**drawn.about, "new": drawn.new, "seconds": round(drawn.seconds, 1), "next": next_})
    else:
        _print(drawn, out_, next_)


def _print(drawn: "Drawn", folder: Path, next_: str) -> None:
    from clipsenet.console import out, print_rows

    about: dict[str, Any] = drawn.about
    parts: dict[str, dict[str, int]] = about["parts"]
    titles = ("part", "vehicles", "with a look-alike", "pictures", "queries")
    print_rows(titles, [(part, *(str(counts.get(title, "")) for title in titles[1:])) for part, counts in parts.items()])
    kind = "frames" if about["settings"]["frames"] else "pictures"
    speed = f"; {drawn.new:,} drawn now, {drawn.seconds / drawn.new:.3f} s each" if drawn.new else "; none had to be drawn"
    out.print(f"{about['files']:,} {kind} of {about['cameras']} cameras in {folder}{speed}", markup=False)
    if about["settings"]["layout"] == "veri776" and parts["validation"]["vehicles"]:
        out.print(
            "VeRi-776's layout has no validation: those vehicles train in its lists; pictures.csv tells them apart",
            markup=False,
        )
    out.print(f"next: {next_}", markup=False)
