"""The text that a conversion prints at its end."""

import numpy as np

from src.convert.problems import lines_of
from src.convert.write import Summary
from src.data.source.dataset import IGNORE, NAME, stored_number
from src.errors import quoted, some


def describe(summary: Summary) -> str:
    """Describe what was written, what was left out, and the warnings."""
    lines = [f"{summary.images} images with {summary.shapes} shapes; {summary.unannotated} image(s) without any."]
    total = int(np.sum(summary.pixels))
    names = {value: repr(name) for value, name in summary.dataset.classes.items()}
    names |= {IGNORE: "(ignored)"} if summary.pixels[IGNORE] else {}
    width = max(map(len, names.values()))
    lines += [
        f"  {value:3} {name:{width}} {summary.pixels[stored_number(value)] / total:8.3%} of the pixels"
        for value, name in names.items()
    ]
    if summary.unused:
        lines.append(f"Classes without a pixel, left out of {NAME}: {', '.join(map(quoted, summary.unused))}.")
    if summary.overlaps:
        kind = "objects" if summary.numbered else "classes"
        lines.append(f"{summary.overlaps / total:.3%} of the pixels lie in shapes of two {kind}; the upper one counts.")
    if summary.invisible:
        lines.append(f"{summary.invisible} shape(s) cover no pixel's centre: too small, or out of the image.")
    if summary.cut:
        lines.append(f"{summary.cut} shape(s) reach out of the image and were cut off there.")
    if summary.redundant:
        remedy = f" If they are meant as holes: {summary.holes}." if summary.holes else ""
        lines.append(
            f"{summary.redundant} shape(s) lie inside others of their class and change nothing, in "
            f"{some(summary.with_redundant)}.{remedy}"
        )
    if summary.hidden:
        others = "objects" if summary.numbered else "classes"
        lines.append(
            f"{summary.hidden} shape(s) are completely covered by shapes of other {others}, in "
            f"{some(summary.with_hidden)}. If they are holes or parts: draw them after the shapes that cover them."
        )
    if summary.skipped:
        lines.append(f"{len(summary.skipped)} degenerate polygon(s) were left out:\n{lines_of(summary.skipped)}")
    if summary.subsets:
        lists = ", ".join(f"{count} {subset}" for subset, count in summary.subsets.items())
        lines.append(f"Official lists: {lists} images.")
    if summary.numbered:
        lines.append("Masks number the objects: set data.masks.read to instances in params.yaml before the check.")
    if summary.warnings:
        lines.append(f"{len(summary.warnings)} warning(s)\n{lines_of(summary.warnings)}")
    return "\n".join(lines)
