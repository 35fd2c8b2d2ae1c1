"""The report's page: HTML that opens from a disk without a network."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2

from clipsenet.figures.small_pictures import HEURISTIC
from clipsenet.reports.choices import Choices
from clipsenet.reports.drawings import Drawing

SECTIONS = (
    ("scores", "Scores"),
    ("comparison", "Comparison"),
    ("curves", "Curves"),
    ("queries", "Queries"),
    ("slices", "Where it is weak"),
    ("confusion", "Who is taken for whom"),
    ("maps", "Maps"),
    ("embedding", "Embedding"),
    ("afem", "AFEM"),
    ("plates", "Number plates"),
    ("history", "Training"),
    ("recipe", "Recipe"),
)


def render(
    report: Mapping[str, Any],
    drawings: Mapping[str, Drawing | str],
    file: Callable[[int], str],
    recipes: Sequence[str],
    choices: Choices,
) -> str:
    """The page as HTML; all that comes from data is escaped.

    Args:
        report: what report.json holds.
        drawings: name to figure, or to the reason why there is none.
        file: a test row to the file of its small picture, from the page's folder on.
        recipes: each run's recipe as YAML.
        choices: what was asked for.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clipsenet.reports", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    there = {"afem": "groups" in drawings, "comparison": report["comparison"] is not None, "history": "history" in drawings}
    runs = report["runs"]
    return environment.get_template("page.html").render(
        title=f"{' and '.join(run['name'] for run in runs)} on {runs[0]['scorecard']['card']['benchmark']}",
        contents=[one for one in SECTIONS if there.get(one[0], True)],
        report=report,
        drawings=drawings,
        file=file,
        show=show,
        sentence=sentence,
        worst=sum(one["chosen"] == "worst" for one in report["queries"]),
        heuristic=HEURISTIC,
        plates_asked=choices.plates,
        afem_pictures=max((run["afem"]["pictures"] for run in runs if run["afem"]), default=0),
        recipes=recipes,
        environments=[json.dumps(run["environment"], indent=2) for run in runs],
    )


def show(value: float | None, digits: int, signed: bool) -> str:
    """A number for a reader; ``none`` where there is none."""
    if value is None:
        return "none"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def sentence(told: Mapping[str, Any]) -> str:
    """What the facts of a query say, in words."""
    asking, answering = told["camera_pair"]
    where = f" (camera {asking} to {answering})" if asking and answering else ""
    text = f"First match at place {told['place']} of {told['candidates']}{where}; AP {told['ap']:.3f}. Query {_shot(told)}."
    wrong = told["wrong"]
    if wrong is None:
        return text
    same = [name for name, alike in wrong["same"].items() if alike]
    other = [name for name, alike in wrong["same"].items() if not alike]
    parts = [f"vehicle {wrong['vehicle']}" if wrong["vehicle"] else "a picture without a vehicle"]
    if same:
        parts.append(f"same {' and '.join(same)}")
    if other:
        parts.append(f"other {' and '.join(other)}")
    if wrong["lookalike"]:
        parts.append("a known look-alike")
    return f"{text} Taken for {', '.join(parts)}; that picture {_shot(wrong)}."


def _shot(told: Mapping[str, Any]) -> str:
    width, height = told["size"]
    return f"{width} x {height} px, brightness {told['brightness']:.0f}"
