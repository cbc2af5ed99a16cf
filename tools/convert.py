"""Turn annotations in COCO, labelme or YOLO format into a data set: images/, masks/ and dataset.yaml.

  python -m tools.convert coco annotations.json --images photos --out data/my-set
  python -m tools.convert labelme photos --out data/my-set
  python -m tools.convert yolo export --out data/my-set

Images are copied byte for byte under their own names; the source is never changed. Masks are 8-bit PNG: 0 is
background, 1, 2 … the classes, 255 is ignored. A pixel belongs to a shape if its centre lies inside. The output folder
is written whole or not at all: one message lists everything that stands in the way, with what helps.
"""

import argparse
from pathlib import Path

from tools import parser, run

NOTES = """\
Overlaps: %(overlaps)s

Images with an EXIF orientation: masks lie as the image is shown. If width and height in the annotations fit the image
only as shown, or only as stored, the coordinates are taken so; if nothing tells, the image is refused unless
--coordinates decides.

Coordinates may lie a pixel outside the picture; shapes that reach further are refused unless --clip cuts them off.
"""
SMALLER_ON_TOP = "larger shapes lie beneath smaller ones; of equal area, the later one is on top."
HELP = {"coco": "one JSON of instances", "labelme": "a JSON for each image", "yolo": "a text file of polygons for each"}
ABOUT = {
    "coco": """\
COCO instances: polygons, and RLE of both kinds. Several polygons of one annotation are added up. Classes are numbered
by category id. Crowds (iscrowd) become pixels to ignore.""",
    "labelme": """\
labelme: a JSON for each image. Drawn are polygon, rectangle, circle and mask; line, point and so on are left out and
listed. Labels are numbered in alphabetical order; __ignore__ is 255, _background_ is 0. Of imagePath only the last part
counts: the image lies beside its JSON, or in the folder --images.""",
    "yolo": """\
YOLO segmentation: FOLDER/images and FOLDER/labels, or these two in folders such as FOLDER/train. Class names are in
FOLDER/data.yaml or classes.txt. An image without a text file shows none of the classes. Folders train, val and test
become the official lists.""",
}
OVERLAPS = {
    "coco": f"{SMALLER_ON_TOP}\nCrowds lie beneath all.",
    "labelme": "the later shape of a JSON is on top, as in labelme's own export.",
    "yolo": SMALLER_ON_TOP,
}


def arguments() -> argparse.ArgumentParser:
    top = parser("convert", __doc__, "python -m tools.convert FORMAT --help says more.")
    formats = top.add_subparsers(dest="format", required=True, metavar="FORMAT")
    own = {
        name: formats.add_parser(
            name,
            help=HELP[name],
            description=ABOUT[name],
            epilog=NOTES % {"overlaps": OVERLAPS[name]},
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name in HELP
    }
    for name, one in own.items():
        one.add_argument("source", type=Path, metavar="FILE.json" if name == "coco" else "FOLDER")
        if name != "yolo":
            one.add_argument("--images", type=Path, required=name == "coco", metavar="FOLDER", help="where images are")
        one.add_argument(
            "--out", type=Path, required=True, metavar="FOLDER", help="the data set: a new or empty folder"
        )
        one.add_argument("--coordinates", choices=["shown", "stored"], help="which way up images with EXIF are meant")
        one.add_argument("--clip", action="store_true", help="cut shapes off at the edge of the picture")
        if name != "labelme":
            one.add_argument("--boxes", action="store_true", help="fill boxes that have no polygon")
        if name != "coco":
            names = "the classes in the order of their index, as in cell,nucleus"
            one.add_argument("--names", type=lambda text: text.split(","), metavar="NAMES", help=names)
    crowds = "fill crowds like other shapes, instead of ignoring their pixels"
    own["coco"].add_argument("--fill-crowds", action="store_true", help=crowds)
    keep = "an image without a JSON is all background, instead of left out"
    own["labelme"].add_argument("--keep-unlabelled", action="store_true", help=keep)
    return top


def main(given: argparse.Namespace) -> None:
    from src.convert.annotations import Options
    from src.convert.coco import read_coco
    from src.convert.labelme import read_labelme
    from src.convert.summary import describe
    from src.convert.write import write
    from src.convert.yolo import read_yolo

    options = Options(given.coordinates, given.clip, getattr(given, "boxes", False))
    if given.format == "coco":
        annotations = read_coco(given.source, given.images, options, ignore_crowds=not given.fill_crowds)
    elif given.format == "labelme":
        annotations = read_labelme(
            given.source, options, images=given.images, names=given.names, keep_unlabelled=given.keep_unlabelled
        )
    else:
        annotations = read_yolo(given.source, options, given.names)
    print(describe(write(annotations, given.out)))
    print(f"\nCheck it: python -m tools.check {given.out}")


if __name__ == "__main__":
    run(arguments(), main)
