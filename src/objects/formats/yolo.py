"""Writes YOLO segmentation: a text file for each image, and data.yaml with the names of the classes."""

from collections.abc import Sequence

from src.files import yaml_scalar
from src.objects.annotated import AnnotatedImage, join_holes

DECIMALS = 8  # of a coordinate: a share of the size


def yolo_lines(image: AnnotatedImage, classes: Sequence[str], deviation: float = 0.0) -> str:
    """Make the text file of an image: a line for each polygon, with its class index and its points.

    YOLO has no holes: an outline runs into each hole and back along the same line. The parts of an object that touch
    only by a corner have a line each.

    Args:
        image: The image with its objects.
        classes: The names of the classes in the order of their index, from 0.
        deviation: See `simplify_polygon`.

    Returns:
        The content of the file; "" if there are no objects.
    """
    indices, size, lines = {name: index for index, name in enumerate(classes)}, (image.width, image.height), []
    for one in image.objects:
        for polygon in one.simplified(deviation).polygons:
            shares = (join_holes(polygon) / size).ravel().tolist()
            numbers = (f"{share:.{DECIMALS}f}".rstrip("0").rstrip(".") for share in shares)
            lines.append(f"{indices[one.label]} {' '.join(numbers)}\n")
    return "".join(lines)


def yolo_names(classes: Sequence[str]) -> str:
    """Make data.yaml, which names the classes.

    Args:
        classes: The names of the classes in the order of their index.
    """
    return "names:\n" + "".join(f"  {index}: {yaml_scalar(name)}\n" for index, name in enumerate(classes))
