"""Commands about published weights: which there are, fetch one, look into a file."""

from pathlib import Path
from typing import Annotated

import typer

from clipsenet.cli.opening import print_json
from clipsenet.cli.options import AsJson


def list_(json_: AsJson = False) -> None:
    """The published files that a recipe may name, and where they lie."""
    from dataclasses import asdict

    from clipsenet.console import print_rows
    from clipsenet.finding import cache_path
    from clipsenet.published import PUBLISHED

    here = {name: path for name, path in ((one.name, cache_path(one)) for one in PUBLISHED.values()) if path.is_file()}
    if json_:
        print_json([{**asdict(one), "path": str(here[one.name]) if one.name in here else None} for one in PUBLISHED.values()])
        return
    rows = []
    for one in PUBLISHED.values():
        digits = "none published" if one.sha256 is None else f"{one.sha256[:8]} ({one.hash_from})"
        rows.append((one.name, one.network, one.licence, digits, str(here.get(one.name, "not here"))))
    print_rows(("file", "trunk or tower", "licence", "SHA-256 (told by)", "where"), rows)


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A file's name, of: clipsenet weights list.")],
    json_: AsJson = False,
) -> None:
    """Fetch a published file into the cache, or check the one that lies there."""
    from clipsenet.console import out, watching
    from clipsenet.fetching import fetch as fetch_
    from clipsenet.finding import cache_path, sha256_of
    from clipsenet.published import PUBLISHED

    was_here = name in PUBLISHED and cache_path(PUBLISHED[name]).is_file()
    with watching() as watch:
        path = fetch_(name, watch)
    if json_:
        print_json({"name": name, "path": str(path), "sha256": sha256_of(path), "fetched": not was_here})
    else:
        out.print(f"{'lay there already' if was_here else 'fetched'}: {path}, SHA-256 {sha256_of(path)}", markup=False)


def check(
    file: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or the name of a published one in the cache.")],
    json_: AsJson = False,
) -> None:
    """Look into a file of weights without running anything in it: what it is, and for which network."""
    from clipsenet.console import out
    from clipsenet.finding import cache_path, checked, sha256_of
    from clipsenet.models.recognising import recognise
    from clipsenet.published import PUBLISHED
    from clipsenet.weights import open_state

    entry = PUBLISHED.get(str(file))
    if entry is not None and not file.is_file() and cache_path(entry).is_file():
        file = checked(entry)
    found = open_state(file)
    digits = sha256_of(file)
    tensors = found.tensors
    fits = next((one.name for one in PUBLISHED.values() if one.sha256 is not None and digits.startswith(one.sha256)), None)
    dtypes = sorted({str(value.dtype).removeprefix("torch.") for value in tensors.values()})
    weights = [value for name, value in tensors.items() if value.is_floating_point() and ".running_" not in name]
    facts = {
        "path": str(file),
        "bytes": file.stat().st_size,
        "sha256": digits,
        "published": fits,
        "form": found.form,
        "wrapped": found.wrapped,
        "prefixed": found.prefixed,
        "dtypes": dtypes,
        "tensors": len(tensors),
        "parameters": sum(value.numel() for value in weights),
        "network": recognise(tensors),
    }
    if json_:
        print_json(facts)
        return
    named = PUBLISHED.get(file.name)
    if fits is not None:
        published = fits
    elif named is None:
        published = "no file of: clipsenet weights list has this hash"
    elif named.sha256 is None:
        published = f"named as {named.name}, whose hash nobody publishes"
    else:
        published = f"named as {named.name}, but NOT that file: its hash begins with {named.sha256} (from {named.hash_from})"
    form = [found.form, *(["wrapped in state_dict"] * found.wrapped), *(["prefix module."] * found.prefixed)]
    lines = {
        "file": f"{file}, {facts['bytes']:,} bytes",
        "SHA-256": digits,
        "published": published,
        "form": ", ".join(form),
        "tensors": f"{len(tensors):,} of {', '.join(dtypes)}",
        "parameters": f"{facts['parameters']:,}, without running statistics",
        "network": facts["network"],
    }
    for name, text in lines.items():
        out.print(f"{name:<10}  {text}", markup=False)
