"""Makes shapes of polygons, boxes and ellipses, and refuses coordinates that cannot be right."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.convert.annotations import Options, Shape
from src.convert.frame import Frame
from src.convert.problems import Degenerate, Refused
from src.convert.regions import Points, fill_ellipse, fill_polygons

FARTHEST = 1e9  # pixels: beyond this coordinate, sums of coordinates are not exact to a pixel
TOLERANCE = 1.0  # pixels that a coordinate may lie outside the image: a rounding error, not a mistake
TURNED = 0.1  # share of the size: a shape this far outside that fits the turned image proves that the image is turned


def polygon_shape(
    value: int, parts: Sequence[Points], frame: Frame, options: Options, *, below_others: bool = False
) -> Shape:
    """Make the shape of one or more polygons.

    Args:
        value: The value of its class in the mask.
        parts: The polygons in pixels, float64 [points, 2] each.
        frame: The picture that coordinates refer to.
        options: The user's decisions.
        below_others: Draw it before all other shapes.

    Raises:
        Refused: A polygon has fewer than three points, or coordinates that cannot be right.
    """
    check_points(parts)
    cut = reaches_out(np.concatenate(parts), frame, options)
    return Shape(value, functools.partial(fill_polygons, parts, frame.height, frame.width), below_others, cut)


def box_shape(
    value: int, corners: Sequence[float], frame: Frame, options: Options, *, below_others: bool = False
) -> Shape:
    """Make the shape of a filled box.

    Args:
        value: The value of its class in the mask.
        corners: Left, top, right and bottom in pixels.
        frame: The picture that coordinates refer to.
        options: The user's decisions.
        below_others: Draw it before all other shapes.

    Raises:
        Refused: The coordinates cannot be right.
    """
    x0, y0, x1, y1 = corners
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    return polygon_shape(value, [points], frame, options, below_others=below_others)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in pixels.

    Attributes:
        center: x and y of the centre.
        radii: The two radii; the first one lies along x before the turn.
        turn: Angle in radians by which it is turned clockwise, as the image is seen.
    """

    center: tuple[float, float]
    radii: tuple[float, float]
    turn: float = 0.0


def ellipse_shape(value: int, ellipse: Ellipse, frame: Frame, options: Options) -> Shape:
    """Make the shape of an ellipse.

    Args:
        value: The value of its class in the mask.
        ellipse: The ellipse.
        frame: The picture that coordinates refer to.
        options: The user's decisions.

    Raises:
        Refused: The coordinates cannot be right.
    """
    center, radii = np.array(ellipse.center), np.array(ellipse.radii)
    if not (radii > 0).all():
        raise Refused("its radii are not above 0", "draw it again, or remove it")
    reach = np.hypot(radii * math.cos(ellipse.turn), radii[::-1] * math.sin(ellipse.turn))
    cut = reaches_out(np.array([center - reach, center + reach]), frame, options)
    size = (frame.height, frame.width)
    return Shape(value, functools.partial(fill_ellipse, ellipse.center, ellipse.radii, ellipse.turn, size), cut=cut)


def check_points(parts: Sequence[Points]) -> None:
    """Raise `Degenerate` for a polygon of fewer than three points."""
    for part in parts:
        if len(part) < 3:
            raise Degenerate(f"a polygon of {len(part)} point(s) encloses nothing")


def reaches_out(points: Points, frame: Frame, options: Options) -> bool:
    """Return whether a point lies outside the image by more than `TOLERANCE`.

    Args:
        points: float64 [points, 2] in pixels, at least one.
        frame: The picture that coordinates refer to.
        options: The user's decisions.

    Raises:
        Refused: A coordinate is not finite or far too large; the points fit the image only the other way up; or they
            lie outside, and `options.clip` is not set.
    """
    if not (np.abs(points) < FARTHEST).all():  # NaN compares as False
        raise Refused("a coordinate is not a finite number, or far too large", "remove the shape, or draw it again")
    excess = excess_of(points, frame.width, frame.height)
    if excess > max(TOLERANCE, TURNED * min(frame.width, frame.height)) and frame.alternative is not None:
        other = frame.alternative
        if excess_of(points, other.width, other.height) <= TOLERANCE:
            raise Refused(
                f"reaches {excess:.6g} pixels out of the image of {frame.width} × {frame.height}, but fits the image "
                f"as {other.coordinates}, {other.width} × {other.height}: its EXIF orientation turns it",
                f"use --coordinates {other.coordinates} if the shapes were drawn so; else correct the shape",
            )
    if excess > TOLERANCE and not options.clip:
        raise Refused(
            f"reaches {excess:.6g} pixels out of the image of {frame.width} × {frame.height}",
            "check size and format, or cut such shapes off with --clip",
        )
    return excess > TOLERANCE


def excess_of(points: Points, width: int, height: int) -> float:
    """How far the farthest point lies outside an image, in pixels; negative if all points lie inside.

    Args:
        points: float64 [points, 2] in pixels, at least one.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
    """
    return float(max(-points.min(), (points - [width, height]).max()))
