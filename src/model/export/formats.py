"""The formats that an export is written in, and each of them run by its own program, as its users will."""

import json
import logging
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.archive.members import PROJECT
from src.files import write_json
from src.model.export.exported_model import IMAGE, PROBABILITIES, Export

SIGNATURE = "serving_default"  # what TensorFlow Serving answers with if a request names nothing
OPSET = 18  # of ONNX: the highest that tf2onnx 1.17 writes
KEY = "project"  # of the metadata of an ONNX file
Run = Callable[[NDArray[Any]], NDArray[np.float32]]  # [n, height, width, channels] → [n, height, width, classes]


@dataclass(frozen=True)
class Format:
    """title: its name; place: what it is called in the folder of exports, for a model of the name {name}.

    write: an export to a path; run: what a path says of images; about: the metadata at a path.
    """

    title: str
    place: str
    write: Callable[[Export, Path], None]
    run: Callable[[Path], Run]
    about: Callable[[Path], dict[str, Any]]


def write_savedmodel(export: Export, folder: Path) -> None:
    """The metadata lies in assets.extra, the folder that SavedModel leaves to others."""
    module = tf.Module()
    module.__call__ = export.function
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: export.function.get_concrete_function()})
    write_json(folder / "assets.extra" / PROJECT, export.about)


def run_savedmodel(folder: Path) -> Run:
    loaded = tf.saved_model.load(str(folder))
    answer = loaded.signatures[SIGNATURE]
    return lambda images: answer(**{IMAGE: tf.constant(images)})[PROBABILITIES].numpy()


def about_savedmodel(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "assets.extra" / PROJECT).read_text(encoding="utf-8")))


def write_onnx(export: Export, path: Path) -> None:
    """The metadata is JSON in metadata_props, under `KEY`; height, width and the number of images have these names."""
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_function(export.function, export.function.input_signature, opset=OPSET)
    for value, told in ((model.graph.input[0], export.about["input"]), (model.graph.output[0], export.about["output"])):
        for dimension, size in zip(value.type.tensor_type.shape.dim, told["shape"], strict=True):
            if isinstance(size, str):
                dimension.dim_param = size
        value.doc_string = told["meaning"]
    model.metadata_props.add(key=KEY, value=json.dumps(export.about, ensure_ascii=False))
    path.write_bytes(model.SerializeToString())


def run_onnx(path: Path) -> Run:
    session = _session(path)
    return lambda images: np.asarray(session.run([PROBABILITIES], {IMAGE: images})[0])


def about_onnx(path: Path) -> dict[str, Any]:
    return dict(json.loads(_session(path).get_modelmeta().custom_metadata_map[KEY]))


def _session(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])


def write_litert(export: Export, path: Path) -> None:
    """The metadata is a member of a zip archive behind the model, which is how LiteRT's files carry other files."""
    module = tf.Module()
    module.__call__ = export.function
    converter = tf.lite.TFLiteConverter.from_concrete_functions([export.function.get_concrete_function()], module)
    path.write_bytes(converter.convert())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(PROJECT, json.dumps(export.about, ensure_ascii=False, indent=2))


def run_litert(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=os.cpu_count())
    answer = interpreter.get_signature_runner(SIGNATURE)  # makes room for images of another size by itself
    return lambda images: np.asarray(answer(**{IMAGE: images})[PROBABILITIES])


def about_litert(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return dict(json.loads(archive.read(PROJECT)))


FORMATS = {
    "savedmodel": Format("SavedModel", "{name}/1", write_savedmodel, run_savedmodel, about_savedmodel),
    "onnx": Format("ONNX", "{name}.onnx", write_onnx, run_onnx, about_onnx),
    "litert": Format("LiteRT", "{name}.tflite", write_litert, run_litert, about_litert),
}
