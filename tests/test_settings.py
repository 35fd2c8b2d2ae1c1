from pathlib import Path

import pytest
from pydantic import Field

from clipsenet.errors import UsageError
from clipsenet.recipe import Recipe, load_recipe
from clipsenet.settings import Settings, override, parse_yaml, read_yaml

MINIMAL = {"name": "x", "losses": {"identity": {"kind": "cross-entropy"}}}


class Inner(Settings):
    rate: float = Field(default=1.0, gt=0)
    place: Path | None = None
    size: tuple[int, int] = (1, 2)


class Outer(Settings):
    inner: Inner = Inner()
    on: bool = False


def test_yaml_reads_numbers_and_texts_as_people_mean_them() -> None:
    text = "rate: 1e-4\nname: no\nyes_too: yes\nflag: true\nnothing: null\nempty:\npadded: 010\n"
    assert parse_yaml(text, "x") == {
        "rate": 1e-4,
        "name": "no",
        "yes_too": "yes",
        "flag": True,
        "nothing": None,
        "empty": None,
        "padded": "010",
    }


def test_a_list_becomes_a_tuple_and_a_text_a_path() -> None:
    outer = Outer.from_values({"inner": {"size": [3, 4], "place": "a/b", "rate": 2}}, "x")
    assert outer.inner == Inner(rate=2.0, place=Path("a/b"), size=(3, 4))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"rat": 1}}, "unknown setting 'inner.rat': did you mean 'rate'?"),
        ({"inner": {"rate": "fast"}}, "'inner.rate' is 'fast', wanted: a valid number"),
        ({"inner": {"rate": -1}}, "'inner.rate' is -1, wanted: greater than 0"),
        ({"on": "no"}, "'on' is 'no', wanted: a valid boolean"),
        ({"on": 1}, "'on' is 1, wanted: a valid boolean"),
    ],
)
def test_a_wrong_setting_says_where_what_came_and_what_was_wanted(values: dict, message: str) -> None:
    with pytest.raises(UsageError) as error:
        Outer.from_values(values, "recipe.yaml")
    assert str(error.value) == f"recipe.yaml: {message}"


def test_unknown_settings_inside_a_loss_are_explained_too() -> None:
    values = override(MINIMAL, ["losses.metric.kind=supcon", "losses.metric.temprature=0.1"])
    with pytest.raises(UsageError, match=r"unknown setting 'losses\.metric\.temprature': did you mean 'temperature'"):
        Recipe.from_values(values, "x")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("images.size=[0, 0]", "'images.size.0' is 0, wanted: greater than or equal to 8"),
        ("images.erase_area=[0.1, 2]", "shares of the area, at most 1"),
        ("images.crop_ratio=[2, 1]", "two numbers above 0, the smaller one first"),
        ("schedule={kind: cosine, epochs: 3, warmup_epochs: 4}", "fewer warm-up epochs than epochs, found 4 of 3"),
        ("losses={a.b: {kind: supcon}}", "pattern"),
    ],
)
def test_values_out_of_range_are_refused_when_the_recipe_is_read(assignment: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        Recipe.from_values(override(MINIMAL, [assignment]), "x")
    assert message in str(error.value)


def test_overrides_reach_inside_and_leave_the_rest() -> None:
    values = {"a": {"b": 1, "c": 2}}
    assert override(values, ["a.b=1e-3", "d.e=[x, 2]"]) == {"a": {"b": 1e-3, "c": 2}, "d": {"e": ["x", 2]}}
    assert values == {"a": {"b": 1, "c": 2}}


def test_a_value_that_is_no_yaml_is_a_text() -> None:
    assert override({}, ["data.pattern={vehicle}_c{camera}.jpg"]) == {"data": {"pattern": "{vehicle}_c{camera}.jpg"}}
    assert override({}, ["a={{b}}"]) == {"a": "{{b}}"}


@pytest.mark.parametrize("assignment", ["a.b", "=3", "a.b.c=1"])
def test_an_assignment_that_cannot_be_applied_is_refused(assignment: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        override({"a": {"b": 1}}, [assignment])


def test_a_key_that_stands_twice_and_broken_yaml_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    for text in ("a: 1\nb: 2\na: 3\n", "a: [1\n"):
        file.write_text(text)
        with pytest.raises(UsageError, match=r"r\.yaml is not valid YAML(.|\n)*line"):
            read_yaml(file)
    file.write_text("- 1\n")
    with pytest.raises(UsageError, match="found list, wanted a mapping"):
        read_yaml(file)
    with pytest.raises(UsageError, match="cannot read"):
        read_yaml(tmp_path / "none.yaml")


def test_settings_do_not_change_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner().rate = 3.0  # type: ignore[misc]


def test_a_resolved_recipe_reads_back_as_itself(tmp_path: Path) -> None:
    recipe = Recipe.from_values(override(MINIMAL, ["model.weights=../w.safetensors", "images.crop_scale=[0.5, 1]"]), "x")
    (tmp_path / "r.yaml").write_text(recipe.to_yaml())
    assert load_recipe(tmp_path / "r.yaml") == recipe


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'two-cameras'"):
        load_recipe("two-camera")
