"""Export the model for programs that do not have this project: SavedModel, ONNX, LiteRT.

Each export is one function from pixels in the number type of the training images, such as uint8, to probabilities.
Normalisation, padding to any height and width, mirroring and temperature are included. All arithmetic is in float32.
The file also contains the names of the classes and the other metadata, as JSON. The JSON names the steps that are not
included: threshold, small objects and holes; with data.resize also scaling, resampling to the image's size and
temperature.

Each export is run on the test images and compared with the Keras model. An export that differs by more than 0.001 in
any probability is not written. The comparison is printed, and written as export.md.

The probabilities of overlapping classes do not add up to 1: a pixel is of every class above its threshold.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stages import MODEL
from tools import parser, run

if TYPE_CHECKING:
    from src.archive.ensemble import Ensemble
    from src.data.store.subsets import Subset

TABLE = "export.md"
FORMATS = ("savedmodel", "onnx", "litert")
ONNX_EXAMPLE = """\
python -c "
import json, numpy as np, onnxruntime; from PIL import Image
model = onnxruntime.InferenceSession('exports/unet.onnx')
about = json.loads(model.get_modelmeta().custom_metadata_map['project'])
image = np.asarray(Image.open('image.png').convert('RGB'))  # [height, width, channels]; or 'L', and [..., None]
probabilities = model.run(None, {'image': image[None]})[0][0]  # float32 [height, width, classes]
Image.fromarray(probabilities.argmax(-1).astype('uint8')).save('classes.png'); print(about['classes'])"
"""
EPILOG = f"""\
what is written, for models/unet.keras:
  exports/unet/1/       SavedModel in the folder layout of TensorFlow Serving; the JSON is assets.extra/project.json
  exports/unet.onnx     ONNX, opset 18; the JSON is in metadata_props, under "project"
  exports/unet.tflite   LiteRT; the JSON is project.json in the zip archive at its end (unzip -p)
  exports/export.md     the table

all formats: input "image" [n, height, width, channels], output "probabilities" float32 [n, height, width, classes],
also for two classes. The signature in SavedModel and LiteRT is "serving_default". The number of images, height and
width are free; with data.resize, scale each image to that shorter side first. LiteRT: get_signature_runner() sets the
shape. Its memory grows with the number of mirrored copies, so pass large images in parts.

ONNX without TensorFlow (pip install onnxruntime pillow), for a model without data.resize:
{ONNX_EXAMPLE}
TensorFlow Serving:
docker run -p 8501:8501 -v "$PWD/exports/unet:/models/unet" -e MODEL_NAME=unet tensorflow/serving
curl http://localhost:8501/v1/models/unet/metadata
curl http://localhost:8501/v1/models/unet:predict -d '{{"signature_name": "serving_default", "instances": [IMAGE, …]}}'
IMAGE is nested lists: rows, columns, channels. "predictions" in the answer are the probabilities in the same nesting.
"""


def main(given: argparse.Namespace) -> int:
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.errors import UserError
    from src.files import write_text
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.report.text.exported import exported_markdown
    from stages import PREPARED, SPLITS

    import_tensorflow_quietly()
    from src.model.export.export import write_exports

    store = Store(PREPARED)
    if not SPLITS.exists():
        raise UserError(f"{SPLITS}: there is no split yet; run `dvc repro`")
    if not (test := read_subset(SPLITS, store, "test")):
        raise UserError(f"{SPLITS}: has no test images, which are needed to check an export")
    report = write_exports(given.model, given.format, given.out, test)
    notes = [*report.notes, *notes_of_ensemble(report.ensemble, test)]
    text = exported_markdown(str(given.model), report.agreements, [*notes, *report.problems])
    write_text(given.out / TABLE, text)
    print(f"\n{text}")
    return 1 if report.problems else 0


def notes_of_ensemble(ensemble: "Ensemble | None", images: "Subset") -> list[str]:
    """Notes on test images that members of an ensemble have seen, or may have seen: Dice is too high on these."""
    from src.data.labelled.seen_images import seen_images
    from src.errors import printable, some

    if ensemble is None:
        return []
    notes = []
    if seen := seen_images(images, ensemble.seen):
        what = f"{len(seen)} of these images were used to train or validate members of the ensemble"
        notes.append(f"{what}: Dice only shows that the formats agree.")
    if unknown := ensemble.unrecorded:
        what = f"it is not known which images were used to train {some(map(printable, unknown), show=str)}"
        notes.append(f"Warning: {what}. If they are among these images, Dice only shows that the formats agree.")
    return notes


def arguments() -> argparse.ArgumentParser:
    export = parser("export", __doc__, EPILOG)
    formats = f"one or more of {', '.join(FORMATS)} (default: all)"
    export.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS, metavar="FORMAT", help=formats)
    model = f"default: {MODEL}"
    export.add_argument("--model", type=Path, default=MODEL, metavar="FILE", help=model)
    export.add_argument("--out", type=Path, default=Path("exports"), metavar="FOLDER", help="default: exports")
    return export


if __name__ == "__main__":
    run(arguments(), main)
