"""Predict images as annotations that a labelling tool opens for correction, the least certain image first.

IMAGE is an image, a folder that is searched for images, or a text file (.txt) that names images and folders. FOLDER
must not exist, or be empty. It gets copies of the images, whose names begin with their rank, the annotations in the
format of the tool, and order.csv: for each image its rank, the file it was copied from, and the numbers of the order.

Images are ordered by their expected Dice, 2 Σ p s / (Σ p + Σ s) for the calibrated probability p of each pixel and the
prediction s; of equal ones, the one with the higher entropy near its boundaries comes first.
"""

import argparse
from pathlib import Path

from stages import MODEL
from tools import parser, run
from tools.learning_curve import count

EXAMPLES = """\
Correct the annotations, and convert the result: python -m tools.convert --help (docs/review.md).

examples:
  python -m tools.review photos --out review --for labelme
  python -m tools.review photos more/photos --out review --for cvat --most 20
  python -m tools.review photos --out review --for label-studio --simplify 0
"""
TOOLS = ["labelme", "cvat", "label-studio", "coco"]  # as in src/review/review_files.py, which is not loaded for --help


def main(given: argparse.Namespace) -> int:
    from src.data.predictions.inputs import find_inputs
    from src.errors import UserError
    from src.files import atomic

    if not given.model.is_file():
        raise UserError(f"{given.model}: no such file; dvc repro makes {MODEL}")
    if given.out.exists() and (not given.out.is_dir() or any(given.out.iterdir())):
        raise UserError(f"{given.out}: exists, and may hold corrections: choose another folder, or delete it")
    inputs, findings = find_inputs(given.image, given.out)
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.model.inference.predictor import load_predictor
    from src.model.review.predict_review import predict_review
    from src.review.review_files import ORDER, ReviewFolder
    from tools.predict import report_failures

    predictor = load_predictor(given.model)
    dataset = predictor.project.dataset
    with atomic(given.out) as temporary:
        temporary.mkdir()
        classes = [dataset.names[label] for label in dataset.foreground]
        target = ReviewFolder(temporary, given.tool, classes, given.simplify)
        found, failed = predict_review(predictor, inputs, target)
        if not found:
            report_failures([*findings, *failed], given.out.with_name(f"{given.out.name}-failed.csv"))
            raise UserError("no image could be predicted")
        rows = target.finish(found, given.most)
        count_failed = report_failures([*findings, *failed], temporary / "failed.csv")
    print(f"{len(rows)} of {len(found)} images are in {given.out}, the least certain first ({given.out / ORDER}):")
    print("\n".join(order_lines(rows)))
    return 1 if count_failed else 0


def order_lines(rows: list[dict[str, object]]) -> list[str]:
    """The first rows of order.csv as a table."""
    from src.errors import printable
    from src.report.text.format import aligned

    numbers = ["expected_dice", "boundary_entropy"]
    shown = [[printable(str(row["file"])), *(f"{row[name]:.3f}" for name in numbers)] for row in rows[:10]]
    return aligned([["image", *(name.replace("_", " ") for name in numbers)], *shown])


def deviation(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError("must be a number from 0 to 100")
    return value


def arguments() -> argparse.ArgumentParser:
    review = parser("review", __doc__, EXAMPLES)
    review.add_argument("image", nargs="+", type=Path, metavar="IMAGE", help="an image, a folder, or a text file")
    review.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where images and annotations go")
    review.add_argument("--for", dest="tool", choices=TOOLS, required=True, help="the labelling tool, or plain COCO")
    review.add_argument("--model", type=Path, default=MODEL, metavar="FILE", help=f"default: {MODEL}")
    review.add_argument("--most", type=count, metavar="N", help="only the N least certain images; default: all")
    simplify = "outlines deviate from the prediction by at most this; 0: exact to the pixel; default: 1"
    review.add_argument("--simplify", type=deviation, default=1.0, metavar="PIXELS", help=simplify)
    return review


if __name__ == "__main__":
    run(arguments(), main)
