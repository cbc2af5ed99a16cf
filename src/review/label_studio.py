"""Writes tasks with predictions for Label Studio, and the labelling setup that they fit."""

from collections.abc import Sequence
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from src.objects.annotated import AnnotatedImage, join_holes

SERVED = "/data/local-files/?d="  # prefix of files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT
MODEL = "tools.review"


def label_studio_task(image: AnnotatedImage, score: float, deviation: float = 0.0) -> dict[str, object]:
    """Make a task. Outlines run into holes and back, since Label Studio's polygons have no holes.

    Args:
        image: The image with its objects; `file` is its path below the folder that Label Studio serves.
        score: Its expected Dice, by which Label Studio can sort tasks.
        deviation: See `simplify_polygon`, in pixels.
    """
    size, results = (image.width, image.height), list[dict[str, object]]()
    for one in image.objects:
        for part, polygon in enumerate(one.simplified(deviation).polygons):
            points = (100 * join_holes(polygon) / size).tolist()
            value = {"points": points, "closed": True, "polygonlabels": [one.label]}
            frame = {"original_width": image.width, "original_height": image.height, "image_rotation": 0}
            place = {"from_name": "label", "to_name": "image", "type": "polygonlabels"}
            results.append({"id": f"{one.number}-{part}", **place, **frame, "value": value})
    prediction = {"model_version": MODEL, "score": round(score, 6), "result": results}
    return {"data": {"image": f"{SERVED}{quote(image.file)}"}, "predictions": [prediction]}


def label_studio_setup(classes: Sequence[str]) -> str:
    """Make the labelling setup (XML).

    Args:
        classes: The names of the classes that are drawn.
    """
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in classes)
    tags = f'  <PolygonLabels name="label" toName="image">\n{labels}  </PolygonLabels>\n'
    return f'<View>\n  <Image name="image" value="$image" zoom="true"/>\n{tags}</View>\n'
