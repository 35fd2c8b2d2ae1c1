"""Settings: the strict frozen base of every part's settings; reads YAML, applies dotted overrides."""

import difflib
import json
import re
import types
import typing
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from clipsenet.errors import UsageError

T = TypeVar("T")
S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """Base of all settings: every name must be known, every type must fit, nothing changes afterwards."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_values(cls: type[S], values: Mapping[str, Any], source: str) -> S:
        """Check plain values (as YAML or JSON give them).

        Args:
            values: nested mappings, lists, numbers, texts.
            source: where they came from, for the message.

        Raises:
            UsageError: an unknown setting, a wrong type, a value out of range, a missing setting.
        """
        try:
            # JSON mode: strict, but a list may become a tuple and a text a Path, as YAML cannot say either.
            return cls.model_validate_json(json.dumps(values))
        except ValidationError as error:
            lines = [_explain(cls, one, values) for one in error.errors(include_url=False)]
            raise UsageError(f"{source}: " + "; ".join(lines)) from error

    def to_values(self) -> dict[str, Any]:
        """Plain values (numbers, texts, lists, mappings), complete with every default."""
        values: dict[str, Any] = self.model_dump(mode="json")
        return values


class _Loader(yaml.SafeLoader):
    """YAML 1.2's reading of scalars: ``1e-4`` is a number, ``no`` and ``010`` are texts, a key may not stand twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a name that is no text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def parse_yaml(text: str, source: str) -> Any:
    """Read one YAML document.

    Raises:
        UsageError: not YAML; the message has the line.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise UsageError(f"{source} is not valid YAML: {error}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        UsageError: no such file, not YAML, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}; give the path of a YAML file") from error
    values = parse_yaml(text, str(path))
    if not isinstance(values, dict):
        raise UsageError(f"{path}: found {type(values).__name__}, wanted a mapping 'name: value'")
    return values


def override(values: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of ``values`` with each dotted assignment ``a.b=value`` applied.

    The value is read as YAML, and as a text where it is none, such as ``{vehicle}_c{camera}.jpg``.

    Raises:
        UsageError: an assignment without '=', or one that goes through a value that is not a mapping.
    """
    result: dict[str, Any] = json.loads(json.dumps(values))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {assignment!r}: wanted key=value, for instance optimiser.rate=1e-4")
        *outer, last = key.strip().split(".")
        place = result
        for name in outer:
            inner = place.get(name)
            if inner is None:
                inner = place[name] = {}
            if not isinstance(inner, dict):
                raise UsageError(f"--set {assignment!r}: '{name}' is {inner!r}, it has no setting '{last}' inside")
            place = inner
        try:
            place[last] = parse_yaml(text, assignment)
        except UsageError:
            place[last] = text
    return result


def closest(name: str, known: Sequence[str]) -> str:
    """The rest of an error about an unknown name: the nearest known one, or the list of all."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(sorted(known))}"


def choose(kind: str, name: str, registry: Mapping[str, T]) -> T:
    """Look a name up in one of the registries.

    Raises:
        UsageError: unknown name; the message lists the known ones.
    """
    if name not in registry:
        raise UsageError(f"unknown {kind} '{name}': choose from {', '.join(sorted(registry))}")
    return registry[name]


def _explain(cls: type[Settings], error: Any, values: Any) -> str:
    """One pydantic error as: where, what came, what was wanted."""
    steps = [str(step) for step in error["loc"]]
    name = ".".join(_without_tags(steps, values))
    if error["type"] == "extra_forbidden":
        known = _names_inside(cls, steps[:-1])
        return f"unknown setting '{name}'" + (f": {closest(steps[-1], known)}" if known else "")
    if error["type"] == "union_tag_invalid":
        found = error["ctx"]
        return f"'{name}.kind' is '{found['tag']}', wanted: {found['expected_tags']}"
    if error["type"] == "missing":
        return f"'{name}' is missing"
    wanted = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"'{name}' is {error['input']!r}, wanted: {wanted}"


def _without_tags(steps: Sequence[str], values: Any) -> list[str]:
    """The steps that a user wrote: pydantic puts the kind of a union's member between them."""
    kept = []
    for number, step in enumerate(steps):
        if isinstance(values, Mapping) and step not in values and number < len(steps) - 1:
            continue
        kept.append(step)
        values = values.get(step) if isinstance(values, Mapping) else None
    return kept


def _names_inside(annotation: Any, steps: Sequence[str]) -> list[str]:
    """The names of the settings that stand inside the place ``steps`` of a settings class."""
    annotation = _bare(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [_bare(part) for part in typing.get_args(annotation)]
        parts = [_names_inside(part, steps) for part in members]
        # a step may be the tag of a union ("supcon"): then the member that has it is meant
        tagged = [
            _names_inside(part, steps[1:])
            for part in members
            if steps and isinstance(part, type) and issubclass(part, Settings) and _tag_of(part) == steps[0]
        ]
        return [name for names in (tagged or parts) for name in names]
    if typing.get_origin(annotation) in (dict, Mapping) and steps:
        return _names_inside(typing.get_args(annotation)[1], steps[1:])
    if not (isinstance(annotation, type) and issubclass(annotation, Settings)):
        return []
    if not steps:
        return list(annotation.model_fields)
    field = annotation.model_fields.get(steps[0])
    return [] if field is None else _names_inside(field.annotation, steps[1:])


def _bare(annotation: Any) -> Any:
    """A type without what ``Annotated`` says of it."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is Annotated else annotation


def _tag_of(cls: type[Settings]) -> str | None:
    field = cls.model_fields.get("kind")
    return None if field is None else str(field.default)
