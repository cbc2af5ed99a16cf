"""The formats of an export. Each is run by its own runtime, as its users run it."""

import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.archive.members import PROJECT
from src.archive.network import Json
from src.files import write_json
from src.model.export.exported_model import IMAGE, PROBABILITIES, Export

if TYPE_CHECKING:
    import onnxruntime

SIGNATURE = "serving_default"  # TensorFlow Serving uses it if a request names none
OPSET = 18  # of ONNX: the highest that tf2onnx 1.17 writes
KEY = "project"  # of the metadata of an ONNX file
Run = Callable[[NDArray[np.number]], NDArray[np.float32]]  # [n, height, width, channels] → [n, height, width, classes]


@dataclass(frozen=True)
class Format:
    """A format of exports.

    Attributes:
        title: its name.
        place: the path of an export in the folder of exports; {name} is the name of the model file without suffix.
        write: writes an export to a path.
        run: loads the export at a path, and returns the function that predicts images.
        metadata: reads the metadata of the export at a path.
    """

    title: str
    place: str
    write: Callable[[Export, Path], None]
    run: Callable[[Path], Run]
    metadata: Callable[[Path], Json]


def write_savedmodel(export: Export, folder: Path) -> None:
    """Write a SavedModel, with its metadata in assets.extra, the folder that SavedModel leaves to users.

    Args:
        export: what to write.
        folder: of the SavedModel.
    """
    _save(export, folder)
    write_json(folder / "assets.extra" / PROJECT, export.metadata)


def _save(export: Export, folder: Path) -> None:
    """Save the function alone. Gradients of its own, as of a depthwise convolution, cannot be saved, nor are needed."""
    module = tf.Module()
    module.__call__ = export.function
    signatures = {SIGNATURE: export.function.get_concrete_function()}
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures=signatures, options=options)


def run_savedmodel(folder: Path) -> Run:
    """Load a SavedModel."""
    loaded = tf.saved_model.load(str(folder))
    predict = loaded.signatures[SIGNATURE]
    return lambda images: predict(**{IMAGE: tf.constant(images)})[PROBABILITIES].numpy()


def savedmodel_metadata(folder: Path) -> Json:
    """Read the metadata of a SavedModel."""
    return dict(json.loads((folder / "assets.extra" / PROJECT).read_text(encoding="utf-8")))


def write_onnx(export: Export, path: Path) -> None:
    """Write an ONNX file, with its metadata as JSON in metadata_props under `KEY`.

    Args:
        export: what to write.
        path: of the file.
    """
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_function(export.function, export.function.input_signature, opset=OPSET)
    inside, outside = export.metadata["input"], export.metadata["output"]
    for value, described in ((model.graph.input[0], inside), (model.graph.output[0], outside)):
        for dimension, size in zip(value.type.tensor_type.shape.dim, described["shape"], strict=True):
            if isinstance(size, str):  # the name of a free size, such as height
                dimension.dim_param = size
        value.doc_string = described["meaning"]
    model.metadata_props.add(key=KEY, value=json.dumps(export.metadata, ensure_ascii=False))
    path.write_bytes(model.SerializeToString())


def run_onnx(path: Path) -> Run:
    """Load an ONNX file, on processors."""
    session = _session(path)
    return lambda images: np.asarray(session.run([PROBABILITIES], {IMAGE: images})[0])


def onnx_metadata(path: Path) -> Json:
    """Read the metadata of an ONNX file."""
    return dict(json.loads(_session(path).get_modelmeta().custom_metadata_map[KEY]))


def _session(path: Path) -> "onnxruntime.InferenceSession":
    import onnxruntime

    return onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


def write_litert(export: Export, path: Path) -> None:
    """Write a LiteRT file, with its metadata in a zip archive after the model, as LiteRT attaches other files.

    Args:
        export: what to write.
        path: of the file.
    """
    with tempfile.TemporaryDirectory(prefix=".tmp-litert-", dir=path.parent) as folder:
        _save(export, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        path.write_bytes(converter.convert())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(PROJECT, json.dumps(export.metadata, ensure_ascii=False, indent=2))


def run_litert(path: Path) -> Run:
    """Load a LiteRT file, on all processors."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=os.cpu_count())
    predict = interpreter.get_signature_runner(SIGNATURE)  # adapts to images of another size by itself
    return lambda images: np.asarray(predict(**{IMAGE: images})[PROBABILITIES])


def litert_metadata(path: Path) -> Json:
    """Read the metadata of a LiteRT file."""
    with zipfile.ZipFile(path) as archive:
        return dict(json.loads(archive.read(PROJECT)))


FORMATS = {
    "savedmodel": Format("SavedModel", "{name}/1", write_savedmodel, run_savedmodel, savedmodel_metadata),
    "onnx": Format("ONNX", "{name}.onnx", write_onnx, run_onnx, onnx_metadata),
    "litert": Format("LiteRT", "{name}.tflite", write_litert, run_litert, litert_metadata),
}
