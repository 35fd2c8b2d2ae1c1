"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option("--data", help="A manifest (.csv, .parquet) or a folder of pictures.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Processes = Annotated[
    int, typer.Option(min=1, help="Processes that share each batch, each on a GPU of its own; on a CPU they share the cores.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads that compute; none: as the machine has.")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Go on without pictures that cannot be used; list them.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that train wrote.")]
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a name of: clipsenet list recipes.")]
CheckpointName = Annotated[
    str | None, typer.Option("--checkpoint", help="last, best, or epoch-N of a kept epoch; none: as the run's recipe says.")
]
BenchmarkName = Annotated[str | None, typer.Option("--benchmark", help="The reader of --data; none: the first run's.")]
LeaveOut = Annotated[
    list[str] | None, typer.Option("--leave-out", metavar="COLUMN=VALUE", help="Without these pictures; may be repeated.")
]
ExpectAbsent = Annotated[
    float | None, typer.Option(help="Restate confidences for this share of queries whose vehicle is absent; verdicts stay.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
GalleryFolder = Annotated[Path, typer.Argument(metavar="GALLERY", help="A gallery's folder.")]
