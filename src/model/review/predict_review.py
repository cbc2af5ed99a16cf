"""Predict images for correction. An image that cannot be predicted stops nothing."""

from collections.abc import Sequence

import tensorflow as tf

from src.data.predictions.inputs import Input
from src.data.reading.images import read_image
from src.data.reading.unreadable import Finding, Unreadable
from src.errors import UserError, printable
from src.model.inference.predictor import Predictor
from src.model.network.device import is_out_of_memory
from src.progress import progress
from src.review.annotate import annotate
from src.review.review_files import Reviewed, ReviewFolder
from src.review.uncertainty import measure_uncertainty

MEMORY = ("does not fit into memory", "cut it into smaller images")


def predict_review(
    predictor: Predictor, inputs: Sequence[Input], target: ReviewFolder
) -> tuple[list[Reviewed], list[Finding]]:
    """Predict images, measure how certain the predictions are, and outline their objects.

    Args:
        predictor: The network and its decisions.
        inputs: The images.
        target: Keeps the annotations.

    Returns:
        The predicted images, and a finding for each of the others.
    """
    found, failed = list[Reviewed](), list[Finding]()
    for number, one in enumerate(progress(inputs, len(inputs), "predict")):
        result = _predicted(predictor, number, one, target)
        if isinstance(result, Finding):
            failed.append(result)
        else:
            found.append(result)
    return found, failed


def _predicted(predictor: Predictor, number: int, one: Input, target: ReviewFolder) -> Reviewed | Finding:
    try:
        return _reviewed(predictor, number, one, target)
    except Unreadable as error:
        what, setting = str(error), error.setting
    except UserError as error:
        what, setting = str(error), f"convert it to {predictor.channels} channel(s) of {predictor.project.dtype}"
    except MemoryError:
        what, setting = MEMORY
    except tf.errors.OpError as error:
        if not is_out_of_memory(error):
            raise
        what, setting = MEMORY
    return Finding(printable(str(one.path)), "error", what, setting)


def _reviewed(predictor: Predictor, number: int, one: Input, target: ReviewFolder) -> Reviewed:
    project, outputs = predictor.project, predictor.outputs
    logits = predictor.logits(read_image(one.path, project.channels, target.folder))
    labels = predictor.postprocess(predictor.decide(logits))
    probabilities = outputs.probabilities(logits, project.decisions.temperature)
    uncertainty = measure_uncertainty(probabilities, labels, outputs.labels, project.dataset.foreground)
    annotated = annotate(one.path.name, labels, probabilities, project.dataset, target.folder)
    return target.add(number, one, annotated, uncertainty)
