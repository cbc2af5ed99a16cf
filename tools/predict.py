"""Predict images of any size. The masks hold the values of the training masks; overlapping classes have a mask each.

INPUT is an image, a folder that is searched for images, or a text file (.txt) that names images and folders, one per
line, relative to the current folder. For each image, a mask of its size is written to FOLDER/masks, under the image's
path below the common folder of all INPUT. It is a PNG; for a TIFF, a TIFF with the same georeference. Of overlapping
classes each has a mask of 0 and 255, in FOLDER/masks/CLASS.

An object is a connected component of a class, the background excluded; pixels that touch by a corner are connected.

An interrupted run continues where it stopped: FOLDER/finished.jsonl lists the predicted images, and unchanged images
are not predicted again. If a result would replace the result of another image, nothing is predicted. Images that cannot
be predicted are listed at the end and in FOLDER/failed.csv; then the exit status is 1.
"""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stages import MODEL
from tools import parser, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from src.archive.project import Project
    from src.data.reading.unreadable import Finding
    from src.model.inference.predict_files import Draw
    from src.objects.place import Spacing
    from src.objects.results import ObjectFiles

EXAMPLES = """\
Probabilities are TIFF files with a channel for each class; for two classes, with one channel for the second class.

examples:
  python -m tools.predict photo.jpg --out predicted
  python -m tools.predict scans more/scans list.txt --out predicted --overlay --probabilities 8-bit
  python -m tools.predict scans --out predicted --objects --split-touching
  python -m tools.predict maps --out predicted --polygons geojson --simplify 1
  python -m tools.predict scans --out predicted --shard 3/16        part 3 of 16
"""
SHARES = {"float": "float32", "8-bit": "uint8"}
LARGE_TILE = 1536  # pixels: faster on large images than the tiles of validation; needs half a GiB more memory


def main(given: argparse.Namespace) -> int:
    import hashlib

    from src.data.predictions.inputs import find_inputs, shard
    from src.data.predictions.resume_log import ResumeLog
    from src.errors import UserError
    from src.objects.place import stated_spacings

    if not given.model.is_file():
        raise UserError(f"{given.model}: no such file; dvc repro makes {MODEL}")
    inputs, findings = find_inputs(given.input, given.out)
    part, parts = given.shard or (1, 1)
    name = f"-{part}-of-{parts}" if given.shard else ""
    spacings = stated_spacings(one.path for one in inputs) if given.objects else {}
    with given.model.open("rb") as file:
        finished = ResumeLog(given.out, hashlib.file_digest(file, "sha256").hexdigest(), name)
    finished.refuse_others(inputs)  # in all parts, so that none of them starts
    inputs = shard(inputs, part, parts)
    from src.data.predictions.mask_tables import mask_tables
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.model.inference.predict_files import Prediction, ResultFiles
    from src.model.inference.predictor import load_predictor

    predictor = load_predictor(given.model, LARGE_TILE)
    project = predictor.project
    masks = mask_tables(project.values, project.classes, project.labels)
    objects = object_files(given, project, spacings)
    outputs = ResultFiles(given.out, masks, SHARES.get(given.probabilities), draw(given.overlay), objects)
    waiting = [one for one in inputs if not finished.is_finished(one, outputs.kinds)]
    if len(waiting) < len(inputs):
        print(f"{len(inputs) - len(waiting)} of {len(inputs)} images are predicted already", flush=True)
    prediction = Prediction(predictor, outputs, finished)
    prediction.failed += findings if part == 1 else []  # findings of the whole list: report them once
    try:
        meter = prediction.run(waiting)
        if prediction.warning:
            print(prediction.warning)
        print(f"{meter.done / 1e6:.1f} megapixels, {meter.rate:.1f} a second; masks are in {given.out / 'masks'}")
        if objects:
            done = [one for one in inputs if finished.is_finished(one, outputs.kinds)]
            written = objects.combine(done, predictor.channels, name)
            print(f"objects of {len(done)} images are in {' and '.join(map(str, written))}")
    finally:
        failed = report_failures(prediction.failed, given.out / f"failed{name}.csv")
    return 1 if failed else 0


def report_failures(findings: "list[Finding]", table: Path) -> int:
    """Print the images that could not be predicted, and write them to a table.

    Args:
        findings: All findings; those of severity "error" are failures.
        table: The CSV file; it is deleted if there are no failures.

    Returns:
        The number of failures.
    """
    from src.errors import listing
    from src.files import write_csv

    failed = [finding for finding in findings if finding.severity == "error"]
    if left_out := len(findings) - len(failed):
        print(f"{left_out} file(s) in the folders do not have the extension of an image, and were left out")
    table.unlink(missing_ok=True)
    if failed:
        lines = listing(f"{one.file}: {one.what} → {one.setting}" for one in failed)
        print(f"{len(failed)} could not be predicted, see {table}:\n{lines}")
        columns = ["file", "what", "setting"]
        write_csv(table, ({name: getattr(one, name) for name in columns} for one in failed), columns)
    return len(failed)


def object_files(
    given: argparse.Namespace, project: "Project", spacings: "Mapping[Path, Spacing]"
) -> "ObjectFiles | None":
    """What writes the objects of images; None if nobody asked for them."""
    from src.objects.results import ObjectFiles, ObjectOptions

    options = ObjectOptions(given.objects, given.polygons, given.simplify or 0.0, given.split_touching)
    if not (options.table or options.polygons):
        return None
    return ObjectFiles(given.out, options, project.classes, project.labels, project.foreground, spacings)


def problem(given: argparse.Namespace) -> str:
    """Why arguments do not go together; "" if they do."""
    if given.simplify and not given.polygons:
        return "--simplify changes the outlines that --polygons writes: add --polygons"
    if given.split_touching and not (given.objects or given.polygons):
        return "--split-touching separates objects: add --objects or --polygons"
    return ""


def pixels(text: str) -> float:
    """Parse a distance above 0."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not float(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a distance in pixels such as 1 or 0.8")
    return float(text)


def draw(wanted: bool) -> "Draw | None":
    if not wanted:
        return None
    from src.report.figures.overlay import write_overlay

    return write_overlay


def part(text: str) -> tuple[int, int]:
    """Parse I/N, from 1/N to N/N."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a part such as 1/4, 2/4, 3/4 or 4/4")
    return int(found[1]), int(found[2])


def arguments() -> argparse.ArgumentParser:
    predict = parser("predict", __doc__, EXAMPLES)
    predict.add_argument("input", nargs="+", type=Path, metavar="INPUT", help="an image, a folder, or a text file")
    predict.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the results are written")
    default = MODEL
    predict.add_argument("--model", type=Path, default=default, metavar="FILE", help=f"default: {default}")
    overlay = "also write FOLDER/overlays: the classes in colours over the image, at most 2048 pixels wide or high"
    predict.add_argument("--overlay", action="store_true", help=overlay)
    shares = "also write FOLDER/probabilities: numbers from 0 to 1 (float), or from 0 to 255 (8-bit)"
    predict.add_argument("--probabilities", choices=["float", "8-bit"], help=shares)
    add_object_options(predict)
    predict.add_argument("--shard", type=part, metavar="I/N", help="predict only part I of N, for several machines")
    return predict


def add_object_options(predict: argparse.ArgumentParser) -> None:
    table = "also write FOLDER/objects.csv: a row of measures for each object, and FOLDER/labels: numbered objects"
    predict.add_argument("--objects", action="store_true", help=table)
    outlines = "also write FOLDER/polygons: the outlines of objects with their holes"
    predict.add_argument("--polygons", choices=["geojson", "coco", "labelme", "yolo"], help=outlines)
    fewer = "fewer points in outlines, none of them further than this from the exact outline"
    predict.add_argument("--simplify", type=pixels, metavar="PIXELS", help=fewer)
    split = "separate objects that touch, at their waists (watershed on the distance to the outline)"
    predict.add_argument("--split-touching", action="store_true", help=split)


if __name__ == "__main__":
    run(arguments(), main, problem)
