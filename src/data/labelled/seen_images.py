"""Recognise images that a model was trained or validated on, without keeping the images or their names."""

import hashlib
from collections.abc import Collection

from src.data.store.store import Pixels, Store
from src.data.store.subsets import Subset

LENGTH = 16  # hexadecimal digits of a digest: two of a million different images are equal with a probability of 3e-8


def image_digest(image: Pixels) -> str:
    """The digest of an image as a store holds it. Equal pixels, sizes and number types give equal digests.

    A copy that was resized, compressed or cropped has another digest.

    Args:
        image: [height, width, channels].
    """
    digest = hashlib.sha256(f"{image.shape} {image.dtype.name} ".encode())
    digest.update(image.data)
    return digest.hexdigest()[:LENGTH]


def store_digests(store: Store) -> dict[str, str]:
    """The id of each image of a prepared data set → its digest."""
    digests = {}
    for index, record in enumerate(store.records):
        digests[record.id] = image_digest(store.image(index))
        store.release()
    return digests


def seen_images(images: Subset, seen: Collection[str]) -> list[str]:
    """Return the ids of the images whose digests are among those that a model has seen.

    Args:
        images: The images to look for.
        seen: Digests, see `image_digest`.
    """
    known, found = frozenset(seen), []
    for index, record in zip(images.indices, images.records, strict=True):
        if image_digest(images.store.image(index)) in known:
            found.append(record.id)
        images.store.release()
    return found
