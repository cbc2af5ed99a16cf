"""dataset.yaml: what the stored values of the masks mean, and which images belong together."""

import colorsys
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from src.files import read_text, read_yaml, write_yaml, yaml_scalar
from src.params import GroupRule
from src.section import Section, validate

IGNORE = 255  # ignore index: pixels of the prepared masks that count in no loss, no statistic and no score
NAME = "dataset.yaml"
RESERVED = (NAME, "index.json", "images.bin", "masks.bin")  # file names of the store, see store.py
BLACK = "#000000"
# Okabe and Ito, without the colours that pictures use for errors:
PALETTE = ("#0072B2", "#E69F00", "#56B4E9", "#D55E00", "#999999")
SUBSETS = ("train", "validation", "test")
MOST_OVERLAPPING = 7  # a label has a bit for each class, and one value more: IGNORE
NONE = "none"  # value of background and ignore that says that there is none
BACKGROUND_NAMES = ("background", "bg")  # compared as `plain_name`
UNLABELLED_NAMES = (  # of pixels that nobody labelled; compared as `plain_name`
    *("unlabelled", "unlabeled", "notlabelled", "notlabeled", "nolabel", "unannotated", "notannotated"),
    *("void", "ignore", "ignored", "dontcare"),
)

StoredValue = int | str  # a stored value in dataset.yaml: a number, or a colour as "#RRGGBB"
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
# The name of a folder, on all systems, that is read as a folder of masks:
FOLDER_NAME = re.compile(r"""(?!\.|__)[^\\/:*?"<>|]*[^\\/:*?"<>|. ]""")
NO_BACKGROUND = "a pixel of no class is the background"
ClassName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PackageFile(Section):
    """A file inside an installed package.

    Attributes:
        path: Path below the folder of packages.
        sha256: Hash of the file that the sample was made from.
    """

    path: str
    sha256: Sha256


class Package(Section):
    """An image and its mask inside an installed package, which src/data/source/package.py cuts into tiles.

    Attributes:
        name: Name of the package.
        version: Version of the package.
        image: The image file.
        mask: The mask file.
        mask_shape: Height and width of the mask as stored.
        tile: Height and width of a tile in pixels.
        block: Rows and columns of tiles in a block, the group of a tile.
    """

    name: str
    version: str
    image: PackageFile
    mask: PackageFile
    mask_shape: Annotated[list[int], Field(min_length=2, max_length=2)]
    tile: Annotated[int, Field(ge=16, le=4096)]
    block: Annotated[int, Field(ge=1)]


class Dataset(Section):
    """The content of dataset.yaml. Every key is optional.

    Attributes:
        classes: Stored value → class name, in the order of the class indices. The value is a whole number (grey,
            palette index) or, for masks in colour, "#RRGGBB". Default: derived from the masks.
        background: The class that averages over classes exclude; `none` if all classes count. Default: the class called
            background or bg, in any case; else the lower value of two classes, and none of more classes.
        ignore: The stored value of pixels that count nowhere. A class with this value and a name such as void is then
            no class. `none`: all values count, also that of such a class.
        exif: Whether the masks of images with an EXIF orientation are drawn on the image as shown, or on the pixels as
            stored. data.masks.exif overrides it. Default: the sizes must decide.
        group: Rule for the images that stay in one subset, see src/data/splits/groups.py. Default: every image is a
            group.
        train: Text file beside dataset.yaml. Each line is the id, or the group, of images of the training subset.
        validation: The same for the validation subset.
        test: The same for the test subset.
        spacing: Length of a pixel, or [height, width], in `unit`. Boundary scores are given in it. Default: pixels.
        unit: Unit of `spacing`, such as mm.
        colors: Class name → "#RRGGBB" for pictures. Default: the colours of the masks, if they are in colour.
        package: Source of the pixels of the bundled sample.
        overlap: A pixel may be of several classes, or of none. There is a binary mask for each class, in the folder
            masks/CLASS or in a channel of a mask. `classes` numbers them from 0; default: the folders in the order of
            their names.
        missing: With a folder for each class, `empty` says that an image without a file in one of them holds nothing of
            that class. Default: a missing file is an error.
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
    overlap: bool = False
    missing: Literal["empty"] | None = None

    @field_validator("classes", "ignore", mode="before")
    @classmethod
    def check_stored_values(cls, content: object) -> object:
        """Refuse stored values that are neither whole numbers nor colours."""
        if content == NONE:  # for `classes`, pydantic refuses it later
            return content
        for value in content if isinstance(content, dict) else [content]:
            whole = isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**32
            if not whole and value is not None and not COLOUR.fullmatch(str(value)):
                raise ValueError(f'{value!r} is neither a whole number nor a colour like "#FF0000" (with its quotes)')
        return content

    @field_validator("train", "validation", "test")
    @classmethod
    def plain_file_name(cls, name: str | None) -> str | None:
        """Refuse lists outside the data set's folder, and lists that would overwrite a file of the store."""
        if name is not None and (not name or name != Path(name).name or name.startswith(".")):
            raise ValueError("must be the name of a file in the folder of dataset.yaml")
        if name in RESERVED:
            raise ValueError(f"{name} is a file of the prepared data set: rename the list, for example to test.txt")
        return name

    @model_validator(mode="after")
    def unlabelled_is_no_class(self) -> Self:
        """Remove a class with a name such as void if its value is to be ignored."""
        void = [
            value
            for value, name in self.classes.items()
            if self.ignored_value is not None
            and not self.overlap
            and stored_number(value) == self.ignored_value
            and plain_name(name) in UNLABELLED_NAMES
        ]
        for value in void:
            self.colors.pop(self.classes.pop(value), None)
        return self

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Refuse names, values and keys that contradict each other."""
        names = list(self.classes.values())
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"classes: named twice: {', '.join(doubled)}")
        if len(names) == 1 or len(names) > IGNORE:
            raise ValueError(f"classes: 2 to {IGNORE} are possible, {len(names)} given, ignored ones not counted")
        numbers = self.stored_values
        same = sorted({str(value) for value in self.classes if numbers.count(stored_number(value)) > 1})
        if same:
            raise ValueError(f"classes: one and the same value: {', '.join(same)}")
        ignored = [] if self.ignored_value is None else [self.ignore]
        kinds = {isinstance(value, str) for value in [*self.classes, *ignored]}
        if len(kinds) > 1:
            raise ValueError("classes and ignore: give either numbers or colours, not both")
        if self.overlap:
            return self._overlap_consistent()
        if self.missing is not None:
            raise ValueError("missing: applies to overlapping classes only, with overlap: true")
        if self.ignored_value in numbers:
            raise ValueError(f"ignore: {self.ignore} is the value of class {names[numbers.index(self.ignored_value)]}")
        if names:
            named = [self.background] if self.background not in (None, NONE) else []
            for key, used in (("background", named), ("colors", self.colors)):
                self._known(key, used)
        return self

    def _known(self, key: str, used: Iterable[str]) -> None:
        """Raise `ValueError` if a key names a class that does not exist."""
        unknown = [name for name in used if name not in self.names]
        if unknown:
            raise ValueError(f"{key}: no such class: {', '.join(unknown)}; classes are {', '.join(self.names)}")

    def _overlap_consistent(self) -> Self:
        """Refuse what does not fit overlapping classes."""
        names = self.names
        if self.coloured:
            raise ValueError("classes and ignore: overlapping classes have a mask each, so that colours mean nothing")
        if problem := overlap_problem(names):
            raise ValueError(f"classes: with overlap: true, {problem}")
        if names and sorted(self.stored_values) != list(range(len(names))):
            raise ValueError("classes: with overlap: true, number them from 0, as the channels or the folders")
        if self.background not in (None, NONE):
            raise ValueError(f"background: with overlap: true, {NO_BACKGROUND}: leave out {self.background}")
        if self.ignored_value == 0:
            raise ValueError("ignore: 0 is the value of pixels outside the class")
        if self.package is not None:
            raise ValueError("overlap: the masks of a package have one class for each pixel")
        if names:
            self._known("colors", self.colors)
        return self

    @property
    def names(self) -> list[str]:
        """Class names. The position is the class index in prepared masks and in predictions."""
        return list(self.classes.values())

    @property
    def described(self) -> str:
        """The names of the classes, and whether they overlap, for messages."""
        return ", ".join(self.names) + " (overlapping)" * self.overlap

    @property
    def stored_values(self) -> list[int]:
        """Stored values of the classes as numbers, a colour as 0xRRGGBB, in the order of the class indices."""
        return [stored_number(value) for value in self.classes]

    @property
    def coloured(self) -> bool:
        """Return whether stored values are given as colours."""
        return any(isinstance(value, str) for value in (*self.classes, None if self.ignore == NONE else self.ignore))

    @property
    def ignored_value(self) -> int | None:
        """Stored value of pixels that count nowhere, a colour as 0xRRGGBB; None if there is none."""
        return None if self.ignore is None or self.ignore == NONE else stored_number(self.ignore)

    @property
    def class_colours(self) -> dict[str, str]:
        """Class name → "#RRGGBB": from `colors`, else from the masks, else black for the background and a palette."""
        others = [name for index, name in enumerate(self.names) if index != self.background_index]
        hues = [colorsys.hls_to_rgb(hue / max(len(others), 1), 0.55, 0.75) for hue in range(len(others))]
        colour_circle = ["#{:02X}{:02X}{:02X}".format(*(round(255 * part) for part in hue)) for hue in hues]
        palette = PALETTE if len(others) <= len(PALETTE) else colour_circle
        stored = {name: value for value, name in self.classes.items() if isinstance(value, str)}
        return {name: BLACK for name in self.names} | dict(zip(others, palette, strict=False)) | stored | self.colors

    @property
    def pixel(self) -> tuple[float, float]:
        """Height and width of a pixel from `spacing`, else 1."""
        height, width = self.spacing if isinstance(self.spacing, list) else [self.spacing or 1.0] * 2
        return height, width

    @property
    def length_unit(self) -> str:
        """Unit of distances."""
        return "pixels" if self.spacing is None else self.unit or "units of spacing"

    @property
    def background_index(self) -> int | None:
        """Index of the class that averages exclude, or None."""
        if self.background in self.names:  # before NONE, since a class may be called none
            return self.names.index(self.background)
        if self.background == NONE or self.overlap:
            return None
        called = [index for index, name in enumerate(self.names) if plain_name(name) in BACKGROUND_NAMES]
        if called:
            return called[0]
        return self.stored_values.index(min(self.stored_values)) if len(self.names) == 2 else None

    @property
    def foreground(self) -> list[int]:
        """Class indices that averages are taken over: all but the background."""
        return [index for index in range(len(self.names)) if index != self.background_index]


def overlap_problem(names: Sequence[str]) -> str:
    """Say why classes of these names cannot overlap; "" if they can.

    Args:
        names: The names of the classes. Each is the name of a folder of masks.
    """
    if len(names) > MOST_OVERLAPPING:
        return f"at most {MOST_OVERLAPPING} are possible, {len(names)} given"
    if called := [name for name in names if plain_name(name) in BACKGROUND_NAMES]:
        return f"{NO_BACKGROUND}: leave out {', '.join(called)}, and its masks"
    if unfit := [name for name in names if not FOLDER_NAME.fullmatch(name)]:
        rule = 'they are names of folders: no . or __ at the start, no dot or blank at the end, none of \\/:*?"<>|'
        return f"{rule}; rename {', '.join(map(repr, unfit))}"
    folded = Counter(name.casefold() for name in names)
    if alike := [name for name in names if folded[name.casefold()] > 1]:
        return f"names of folders must differ not only in capital letters: rename {', '.join(map(repr, alike))}"
    return ""


def plain_name(name: str) -> str:
    """Normalise a class name for comparison.

    Case, apostrophes, blanks, hyphens, underscores and invisible characters are dropped. A separator between two digits
    stays: 1-1 is not 11.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = ["-" if unicodedata.category(c) == "Pd" else c for c in folded if unicodedata.category(c) != "Cf"]
    plain = re.sub(r"['’]", "", "".join(visible).strip())
    return re.sub(r"(?<![\d\s_-])[\s_-]+|[\s_-]+(?!\d)|^[\s_-]+", "", plain)


def as_yaml(value: StoredValue) -> str:
    """A class name or a stored value as written in dataset.yaml, in quotes where YAML would read something else."""
    return f'"{value}"' if isinstance(value, str) and COLOUR.fullmatch(value) else yaml_scalar(value)


def similar_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find different names that are equal apart from case, blanks, underscores and hyphens.

    Such names are often one class that was typed in several ways. Unicode variants of a character (NFKC), kinds of
    dash and invisible characters do not count as a difference either. Repeated names count once.

    Returns:
        All pairs, in the order of the names.
    """
    compared = {name: plain_name(name) for name in names}
    return [pair for pair in itertools.combinations(compared, 2) if compared[pair[0]] == compared[pair[1]]]


def stored_number(value: StoredValue) -> int:
    """A stored value as a number, a colour as 0xRRGGBB."""
    return int(value[1:], 16) if isinstance(value, str) else value


def read_dataset(folder: Path) -> Dataset:
    """Read dataset.yaml of a data set; the defaults if it has none."""
    path = folder / NAME
    return validate(Dataset, read_yaml(path) or {}, path) if path.exists() else Dataset()


def read_lists(folder: Path, dataset: Dataset) -> dict[str, list[str]]:
    """Read the lists of images that dataset.yaml names.

    Args:
        folder: The data set.
        dataset: Its dataset.yaml.

    Returns:
        Subset → lines of its list (ids or groups of images). Subsets without a list are missing.
    """
    lists = {}
    for subset in SUBSETS:
        name = getattr(dataset, subset)
        if name is not None:
            lists[subset] = read_lines(folder / name)
    return lists


def read_lines(path: Path) -> list[str]:
    """Lines of a list of images, without comments and empty lines."""
    lines = map(str.strip, read_text(path).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def write_dataset(folder: Path, dataset: Dataset) -> None:
    """Write dataset.yaml.

    Args:
        folder: The data set.
        dataset: The content.
    """
    write_yaml(folder / NAME, dataset.model_dump(exclude_none=True, exclude_defaults=True))
