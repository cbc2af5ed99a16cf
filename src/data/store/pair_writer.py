"""Write the images, masks and object numbers of a data set into large files, such as those of a store."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from src.data.reading.channels import Pixels
from src.data.reading.stored_values import Labels
from src.data.store.array_writer import ArrayWriter
from src.data.store.store import IMAGES, MASKS, NUMBERS


@dataclass(frozen=True)
class Stored:
    """Where the pixels of a pair are in the files of the store.

    Attributes:
        image: Position of the first byte of the image.
        mask: Position of the first byte of the mask.
        numbers: Key of `Labels.numbers` → position of the first byte of these numbers.
        objects: The same key → how many objects are numbered.
    """

    image: int = 0
    mask: int = 0
    numbers: Mapping[int, int] = field(default_factory=dict)
    objects: Mapping[int, int] = field(default_factory=dict)


class MaskWriter:
    """New files of masks and of the numbers of their objects, used as a context manager."""

    def __init__(self, masks: Path, numbers: Path | None) -> None:
        """Open the files.

        Args:
            masks: The file of the codes.
            numbers: The file of the numbers; None if no mask numbers its objects.
        """
        self.masks, self.numbers = ArrayWriter(masks), ArrayWriter(numbers) if numbers else None
        self.files = ExitStack()

    def __enter__(self) -> Self:
        self.files.enter_context(self.masks)
        if self.numbers is not None:
            self.files.enter_context(self.numbers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.files.__exit__(kind, error, trace)

    def append(self, labels: Labels) -> Stored:
        """Write a mask to the ends of the files and return where it starts.

        Raises:
            OSError: The disk is full or a file cannot be written. The error names the file.
        """
        starts, counts = dict[int, int](), dict[int, int]()
        if self.numbers is not None:
            for key, objects in labels.numbers.items():
                starts[key], counts[key] = self.numbers.append(objects.pixels), objects.count
        return Stored(mask=self.masks.append(labels.codes), numbers=starts, objects=counts)


class PairWriter(MaskWriter):
    """New files of a store, used as a context manager."""

    def __init__(self, folder: Path, *, numbers: bool) -> None:
        """Open the files.

        Args:
            folder: The folder of the store.
            numbers: Whether masks may number their objects; else there is no file for the numbers.
        """
        super().__init__(folder / MASKS, folder / NUMBERS if numbers else None)
        self.images = ArrayWriter(folder / IMAGES)

    def __enter__(self) -> Self:
        self.files.enter_context(self.images)
        return super().__enter__()

    def append_pair(self, image: Pixels, labels: Labels) -> Stored:
        """Write an image and its mask to the ends of the files and return where they start.

        Args:
            image: [height, width, channels].
            labels: Its mask.

        Raises:
            OSError: The disk is full or a file cannot be written. The error names the file.
        """
        image_at = self.images.append(image)
        return replace(self.append(labels), image=image_at)
