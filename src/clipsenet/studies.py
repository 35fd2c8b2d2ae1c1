"""The paper's studies as data: which rows a table has, what each changes, and what the paper prints."""

from dataclasses import dataclass

from clipsenet.settings import choose

Triple = tuple[float, float, float]
"""mAP, R1 and R5 in per cent, re-ranked by parameters that the paper does not name."""

WITHOUT_ROWS = ("model.places=null",)
WITH_ROWS = ("model.places.labels=camera-view",)
CNN_ALONE = ("model.semantics=null", "model.afem=null", "model.dim=null")
WITHOUT_AFEM = ("model.afem=null",)


@dataclass(frozen=True)
class Row:
    """One network of a study.

    Attributes:
        name: of its folder.
        title: in tables.
        assignments: what it changes in the base recipe, as ``--set`` takes it.
        paper: what the paper prints for VeRi-776, if it does.
    """

    name: str
    title: str
    assignments: tuple[str, ...]
    paper: Triple | None = None


@dataclass(frozen=True)
class Study:
    """A table or figure of the paper, or a question that it leaves open.

    Attributes:
        name: as ``clipsenet ablate`` takes it.
        title: what it compares, and where the paper has it.
        rows: the networks.
        epochs: after which epochs each run is scored; empty: after the last one.
        note: what a reader must know.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    epochs: tuple[int, ...] = ()
    note: str = ""


def _only_map(value: float) -> Triple:
    """Tables V and VI are known by their mAP alone."""
    return (value, float("nan"), float("nan"))


COMPONENTS = Study(
    "components",
    "Components (Table IV)",
    (
        Row("baseline", "baseline (CNN alone)", (*CNN_ALONE, *WITHOUT_ROWS), (86.7, 96.8, 97.9)),
        Row("sem", "+SEM", (*WITHOUT_AFEM, *WITHOUT_ROWS), (87.3, 97.0, 97.6)),
        Row("sem-afem", "+SEM +AFEM", WITHOUT_ROWS, (91.4, 97.6, 98.5)),
        Row("cv", "baseline +CV", (*CNN_ALONE, *WITH_ROWS), (86.8, 97.1, 98.1)),
        Row("sem-cv", "+SEM +CV", (*WITHOUT_AFEM, *WITH_ROWS), (86.4, 96.1, 97.3)),
        Row("sem-afem-cv", "+SEM +AFEM +CV", WITH_ROWS, (92.9, 98.7, 99.1)),
        Row(
            "tinyclip",
            "TinyCLIP alone",
            ("model.appearance=null", "model.afem=null", "model.dim=null", "images.statistics=null", *WITHOUT_ROWS),
        ),
    ),
    note="CV: learned rows of camera and view, whose true labels are told at test. TinyCLIP alone is no row of the paper's.",
)

GROUPS = Study(
    "groups",
    "Groups of AFEM (Table V), with CV",
    tuple(
        Row(f"groups-{count}", f"G = {count}", (f"model.afem.groups={count}", *WITH_ROWS), _only_map(paper))
        for count, paper in ((4, 90.2), (8, 91.1), (16, 91.7), (32, 92.9), (64, 90.3), (128, 90.6))
    ),
)

TRUNKS = Study(
    "trunks",
    "Trunks (Table VI), with CV",
    tuple(
        Row(
            name,
            title,
            (f"model.appearance.trunk={name}", f"model.appearance.weights={weights}", *WITH_ROWS),
            _only_map(paper),
        )
        for name, title, weights, paper in (
            ("resnet50_ibn_a", "ResNet50-IBN-a", "resnet50_ibn_a-d9d0bb7b.pth", 91.1),
            ("resnet101_ibn_a", "ResNet101-IBN-a", "resnet101_ibn_a-59ea0ac6.pth", 91.9),
            ("se_resnet101_ibn_a", "SE-ResNet101-IBN-a", "se_resnet101_ibn_a-fabed4e2.pth", 91.0),
            ("resnext101_ibn_a", "ResNeXt101-IBN-a", "resnext101_ibn_a-6ace051d.pth", 92.9),
        )
    ),
    note="The weights are those of IBN-Net for each trunk; from random ones: --set model.appearance.weights=null.",
)

TRIPLET = ("losses.metric={kind: triplet, margin: 0.3}",)

LOSSES = Study(
    "losses",
    "SupCon and triplet over the epochs (Fig. 3)",
    (
        Row("baseline-supcon", "baseline, SupCon", (*CNN_ALONE, *WITHOUT_ROWS)),
        Row("baseline-triplet", "baseline, triplet", (*CNN_ALONE, *WITHOUT_ROWS, *TRIPLET)),
        Row("clip-senet-supcon", "CLIP-SENet, SupCon", WITH_ROWS),
        Row("clip-senet-triplet", "CLIP-SENet, triplet", (*WITH_ROWS, *TRIPLET)),
    ),
    epochs=(8, 12, 16, 20, 24),
    note="Four trainings, each scored after those of its epochs; the paper does not say whether it trained each length anew, "
    "and prints no numbers. The baseline is without CV, CLIP-SENet with it.",
)


def _reading(reading: str, *, weights: str = "scalar", scale: str = "1", seen: str = "T_s") -> tuple[str, ...]:
    """All that equation 4 leaves open, so that no row depends on what the base says of it."""
    settings = {"reading": reading, "weights": weights, "weight_scale": scale, "input": seen}
    return tuple(f"model.afem.{name}={value}" for name, value in settings.items())


READINGS = Study(
    "readings",
    "Readings of AFEM, which the paper's formula leaves open",
    (
        Row("heads", "heads (our default)", _reading("heads")),
        Row("heads-narrow", "heads, w ~ N(0, 1/G)", _reading("heads", scale="1/sqrt(G)")),
        Row("heads-vector", "heads, a weight a component", _reading("heads", weights="vector")),
        Row("slices", "slices", _reading("slices")),
        Row("chunks", "chunks", _reading("chunks")),
        Row("on-fused", "heads on T_u", _reading("heads", seen="T_u")),
    ),
    note="A weight a group, w ~ N(0, 1), and T_s as input, where a row does not say otherwise and whatever its base has.",
)

STUDIES: dict[str, Study] = {one.name: one for one in (COMPONENTS, GROUPS, TRUNKS, LOSSES, READINGS)}
"""A study's name to its rows."""


def find_study(name: str) -> Study:
    """A study by name.

    Raises:
        UsageError: unknown.
    """
    return choose("study", name, STUDIES)
