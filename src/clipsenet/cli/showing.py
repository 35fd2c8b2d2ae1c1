"""Commands that show pictures: sheet."""

from pathlib import Path
from typing import Annotated

import typer

from clipsenet.cli.options import LeaveOut


def sheet(
    pictures: Annotated[Path, typer.Argument(metavar="LIST", help="A manifest with vehicle and camera.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A .png or .jpg file.")],
    vehicles: Annotated[int, typer.Option(min=1, help="Rows; look-alikes stand together where the list names them.")] = 8,
    cameras: Annotated[int, typer.Option(min=1, help="Columns.")] = 8,
    show: Annotated[list[str] | None, typer.Option("--vehicle", help="Show this one; may be repeated.")] = None,
    side: Annotated[int, typer.Option(min=32, help="Of a picture, in pixels.")] = 128,
    leave_out: LeaveOut = None,
) -> None:
    """A contact sheet: vehicles in rows, cameras in columns, look-alikes marked."""
    from clipsenet.cli.measuring import read_without
    from clipsenet.sheet import choose_cameras, choose_vehicles, draw_sheet, save_picture

    found = read_without(pictures, leave_out)
    names = show or choose_vehicles(found, vehicles)
    columns = choose_cameras(found, names, cameras)
    save_picture(draw_sheet(found, names, columns, side), to)
    typer.echo(f"{len(names)} vehicles in {len(columns)} cameras, in {to}")
