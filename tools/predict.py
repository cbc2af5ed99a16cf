"""Predict images of any size: masks in the values of the training masks, and if wanted pictures and probabilities.

INPUT is an image, a folder with all images below it, or a text file (.txt) that names such, one in each line. Of each
image FOLDER/masks gets a mask of its size, under its name and folder: PNG, or TIFF with the georeference of a TIFF.
What is there and not older than its image is not made again, so that an interrupted run goes on where it stopped.
Images that cannot be predicted are listed at the end, and the exit status is 1 if there are any.
"""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tools import parser, run

if TYPE_CHECKING:
    from src.model.predict import Draw

EXAMPLES = """\
probabilities are TIFF: of two classes one channel, that of the second; of more a channel for each class.

examples:
  python -m tools.predict photo.jpg --out predicted
  python -m tools.predict scans more/scans list.txt --out predicted --overlay --probabilities 8-bit
  python -m tools.predict scans --out predicted --shard 3/16        the third of sixteen equal parts
"""
SHARES = {"float": "float32", "8-bit": "uint8"}
RECORD = "prediction.json"
LARGE_TILE = 1536  # pixels: faster on large images than the tiles of validation, for half a GiB more


def main(given: argparse.Namespace) -> int:
    from src.data.inputs import find_inputs, shard
    from src.errors import UserError, listing

    if not given.model.is_file():
        raise UserError(f"{given.model}: no such file; dvc repro makes models/unet.keras")
    inputs, failed = find_inputs(given.input, given.out)
    if given.shard:
        inputs = shard(inputs, *given.shard)
    from src.data.results import mask_values
    from src.model.infer import load_predictor
    from src.model.predict import Outputs, Prediction

    predictor = load_predictor(given.model, LARGE_TILE)
    record(given)
    values = mask_values(predictor.project.values, len(predictor.project.classes))
    outputs = Outputs(given.out, values, SHARES.get(given.probabilities), draw(given.overlay))
    waiting = [one for one in inputs if not outputs.done(one)]
    if len(waiting) < len(inputs):
        print(f"{len(inputs) - len(waiting)} of {len(inputs)} images are predicted already", flush=True)
    prediction = Prediction(predictor, outputs)
    meter = prediction.run(waiting)
    failed += prediction.failed
    done = f"{len(waiting) - len(prediction.failed)} images, {meter.done / 1e6:.1f} megapixels"
    print(f"{done}, {meter.rate:.1f} a second; masks are in {given.out / 'masks'}")
    if failed:
        lines = listing(f"{one.file}: {one.what} → {one.setting}" for one in failed)
        print(f"{len(failed)} could not be predicted:\n{lines}")
    return 1 if failed else 0


def record(given: argparse.Namespace) -> None:
    """Note which model the results are of; `UserError` if those that are there are of another."""
    import hashlib

    from src.errors import UserError
    from src.files import read_json, write_json

    with given.model.open("rb") as file:
        made = {
            "model": hashlib.file_digest(file, "sha256").hexdigest(),
            "probabilities": given.probabilities or "none",
        }
    path = given.out / RECORD
    if not path.exists():
        write_json(path, made)
        return
    known = read_json(path)
    if known != made:
        of = "another model" if known["model"] != made["model"] else f"--probabilities {known['probabilities']}"
        raise UserError(f"{given.out}: holds results of {of}: choose another folder, or delete it")


def draw(wanted: bool) -> "Draw | None":
    if not wanted:
        return None
    from src.report.overlay import write_overlay

    return write_overlay


def part(text: str) -> tuple[int, int]:
    """I/N, from 1/N to N/N."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no part such as 1/4, 2/4, 3/4 or 4/4")
    return int(found[1]), int(found[2])


def arguments() -> argparse.ArgumentParser:
    predict = parser("predict", __doc__, EXAMPLES)
    predict.add_argument("input", nargs="+", type=Path, metavar="INPUT", help="an image, a folder, or a list")
    predict.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the results go")
    default = Path("models/unet.keras")
    predict.add_argument("--model", type=Path, default=default, metavar="FILE", help=f"default: {default}")
    overlay = "also FOLDER/overlays: the classes in their colours over the image, at most 2048 pixels wide or high"
    predict.add_argument("--overlay", action="store_true", help=overlay)
    shares = "also FOLDER/probabilities: from 0 to 1, or from 0 to 255"
    predict.add_argument("--probabilities", choices=["float", "8-bit"], help=shares)
    predict.add_argument("--shard", type=part, metavar="I/N", help="only this part of the images, for many machines")
    return predict


if __name__ == "__main__":
    run(arguments(), main)
