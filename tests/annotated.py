"""Makes small annotations in each format, and converts them, for the tests of the converters."""

import base64
import io
import json
import subprocess
import sys

import numpy as np
from PIL import Image

from src.convert.annotations import Options
from src.convert.formats.coco import read_coco
from src.convert.formats.labelme import read_labelme
from src.convert.formats.yolo import read_yolo
from src.convert.write import write_data_set
from src.data.source.dataset import read_dataset
from src.data.source.pairs import folder_pairs
from tests.closure import ROOT
from tests.conftest import data_section
from tools.convert import arguments, main

SQUARE = [2, 2, 6, 2, 6, 6, 2, 6]  # 4 × 4 pixels


def read_mask(path):
    """The values of a mask file, uint8 [height, width]."""
    return np.asarray(Image.open(path))


def paired(folder):
    """The pairs of image and mask that the pipeline finds in a data set."""
    masks = {"read": "auto", "threshold": 0, "exif": read_dataset(folder).exif or "auto"}
    return folder_pairs(folder, data_section(folder, masks=masks), False, None).pairs


def photo(path, width=12, height=10, orientation=1):
    """Write a smooth image whose corners all differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:height, :width]
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    Image.fromarray((20 + 9 * columns + 3 * rows).astype(np.uint8)).save(path, exif=exif)
    return path


def picture(region, height, width):
    """The pixels of a region in an image of this size, bool [height, width]."""
    mask = np.zeros((height, width), bool)
    rows, columns = region.inside.shape
    mask[region.top : region.top + rows, region.left : region.left + columns] = region.inside
    return mask


def inside(x, y, points):
    """Whether a point is inside, by the even-odd rule: count the edges that a ray to the left crosses."""
    odd = False
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
            odd = not odd
    return odd


def coco(folder, annotations, images=None, categories=None, name="a.png"):
    """Write a COCO source with one image of 12 × 10 pixels; annotations: (category, segmentation, more keys)."""
    if not (folder / "photos").exists():
        photo(folder / "photos" / name)
    images = [{"id": 7, "file_name": name, "width": 12, "height": 10}] if images is None else images
    categories = [{"id": 9, "name": "tree"}, {"id": 3, "name": "cell"}] if categories is None else categories
    entries = [{"image_id": 7, "category_id": c, "segmentation": s} | more for c, s, more in annotations]
    content = {"images": images, "annotations": entries, "categories": categories}
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def from_coco(folder, *annotations, options=None, out="out", ignore_crowds=True, **more):
    """Write and convert a COCO source; return the summary."""
    path = coco(folder, annotations, **more)
    source = read_coco(path, folder / "photos", options or Options(), ignore_crowds=ignore_crowds)
    return write_data_set(source, folder / out)


def stored(folder, name="a.png"):
    """The values of a converted mask."""
    return read_mask(folder / "out" / "masks" / name)


def box(left, top, right, bottom):
    """A COCO segmentation of one rectangle."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def labelme(path, *shapes, image="a.png", size=(12, 10), **more):
    """Write a labelme JSON; shapes: (label, type, points, more keys)."""
    content = {"imagePath": image, "imageWidth": size[0], "imageHeight": size[1], "imageData": "x" * 9} | more
    content["shapes"] = [
        {"label": label, "shape_type": kind, "points": points} | extra for label, kind, points, extra in shapes
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def base64_png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def from_labelme(folder, out="out", **more):
    """Convert the labelme JSON files in folder/set; return the summary."""
    return write_data_set(read_labelme(folder / "set", more.pop("options", Options()), **more), folder / out)


def yolo(folder, lines, names="names: [cell, tree]", image="images/a.png"):
    """Write a YOLO source with one image and its text file; return the folder."""
    photo(folder / image)
    label = (folder / image.replace("images", "labels")).with_suffix(".txt")
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_text(lines)
    (folder / "data.yaml").write_text(names)
    return folder


def from_yolo(folder, **more):
    """Convert a YOLO source to the folder `out` next to it; return the summary."""
    return write_data_set(read_yolo(folder, more.pop("options", Options()), **more), folder.parent / "out")


def convert_here(*given):
    """Run tools.convert in this process, which takes no seconds."""
    main(arguments().parse_args([str(one) for one in given]))


def run(*given):
    """Run tools.convert as a command."""
    command = [sys.executable, "-m", "tools.convert", *map(str, given)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
