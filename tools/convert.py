"""Turn annotations in COCO, labelme, YOLO or VOC format into a data set: images/, masks/ and dataset.yaml.

  python -m tools.convert coco annotations.json --images photos --out data/my-set
  python -m tools.convert labelme photos --out data/my-set
  python -m tools.convert yolo export --out data/my-set
  python -m tools.convert voc export --out data/my-set

Images are copied byte for byte under their own names; the source is never changed. Masks are 8-bit PNG: 0 is
background, 1, 2 … the classes, 255 is ignored. A pixel belongs to a shape if its centre lies inside. The output folder
is written whole or not at all: one message lists everything that stands in the way, with what helps.
"""

import argparse
import codecs
from pathlib import Path

from tools import parser, run

NOTES = """\
Overlaps: %(overlaps)s

Images with an EXIF orientation: masks lie as the image is shown. If width and height in the annotations fit the image
only as shown, or only as stored, the coordinates are taken so; a --coordinates that says otherwise is refused. If
nothing tells, the image is refused unless --coordinates decides.

Class names that differ in case, blanks, underscores or hyphens only are warned of. A class called background or bg, in
any case, is 0.
"""
CUT = """
Coordinates may lie a pixel outside the picture; shapes that reach further are refused unless --clip cuts them off.
A polygon that encloses nothing is refused unless --skip-degenerate leaves it out, and lists it.
"""
SMALLER_ON_TOP = "larger shapes lie beneath smaller ones; of equal area, the later one is on top."
HELP = {
    "coco": "one JSON of instances",
    "labelme": "a JSON for each image",
    "yolo": "a text file of polygons for each",
    "voc": "masks in colours and a labelmap.txt, as CVAT exports them",
}
ABOUT = {
    "coco": """\
COCO instances: polygons, and RLE of both kinds. Classes are numbered by category id. Crowds (iscrowd) become pixels to
ignore. A category without annotations whose name another one has is left out, as Roboflow writes it.

Several polygons of one annotation are added up. A polygon inside another one of the annotation is drawn as a hole if
the area of the annotation says so, and listed. If the area fits neither reading, the annotation is refused unless
--holes decides. If there is no area, or it is that of bbox, the polygons are added up with a warning.

A file_name is tried as it is, then URL-decoded, then by the longest end of its path that only one image below --images
has: at least the base name. So paths of Label Studio, of Windows and of other computers are found.""",
    "labelme": """\
labelme: a JSON for each image. Drawn are polygon, rectangle, circle and mask; line, point and so on are left out and
listed. Labels are numbered in alphabetical order; __ignore__ is 255, _background_ is 0. Of imagePath only the last part
counts: the image lies beside its JSON, or in the folder --images. A JSON is refused if imagePath names one image and
another has the name of the JSON, unless --pair decides; and if the picture that it holds (imageData) is another one
than the file.

A hole is drawn as a later shape with the label _background_. A shape inside another one of its label changes nothing;
such shapes are counted.""",
    "yolo": """\
YOLO segmentation: FOLDER/images and FOLDER/labels, or these two in folders such as FOLDER/train. Class names are in
FOLDER/data.yaml or classes.txt. An image without a text file shows none of the classes. Folders train, val and test
become the official lists. Coordinates are shares of the width and height; coordinates in pixels are refused.""",
    "voc": """\
Pascal VOC layout: FOLDER/labelmap.txt with a line name:red,green,blue:: for each class, and masks in these colours:
JPEGImages/ and SegmentationClass/, or images/ and masks/, files of equal names. CVAT calls it "Segmentation mask 1.1".
Classes are numbered in the order of labelmap.txt, and keep their colours in the pictures. 224,224,192 and a class
called ignored become pixels to ignore. A colour without a line is refused. Lists in ImageSets/Segmentation/ called
train, val and test become the official lists.""",
}
OVERLAPS = {
    "coco": f"{SMALLER_ON_TOP}\nCrowds lie beneath all.",
    "labelme": "the later shape of a JSON is on top, as in labelme's own export.",
    "yolo": SMALLER_ON_TOP,
    "voc": "masks have none.",
}


def arguments() -> argparse.ArgumentParser:
    top = parser("convert", __doc__, "python -m tools.convert FORMAT --help says more.")
    formats = top.add_subparsers(dest="format", required=True, metavar="FORMAT")
    own = {
        name: formats.add_parser(
            name,
            help=HELP[name],
            description=ABOUT[name],
            epilog=NOTES % {"overlaps": OVERLAPS[name]} + (CUT if name != "voc" else ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name in HELP
    }
    for name, one in own.items():
        one.add_argument("source", type=Path, metavar="FILE.json" if name == "coco" else "FOLDER")
        if name in ("coco", "labelme"):
            one.add_argument("--images", type=Path, required=name == "coco", metavar="FOLDER", help="where images are")
        one.add_argument(
            "--out", type=Path, required=True, metavar="FOLDER", help="the data set: a new or empty folder"
        )
        one.add_argument("--coordinates", choices=["shown", "stored"], help="which way up images with EXIF are meant")
        if name != "voc":
            _add_shape_options(name, one)
    crowds = "fill crowds like other shapes, instead of ignoring their pixels"
    own["coco"].add_argument("--fill-crowds", action="store_true", help=crowds)
    holes = "a polygon inside another one of its annotation is a hole, or is added up, whatever the area says"
    own["coco"].add_argument("--holes", choices=["cut", "fill"], help=holes)
    _add_labelme_options(own["labelme"])
    return top


def _add_shape_options(name: str, one: argparse.ArgumentParser) -> None:
    one.add_argument("--clip", action="store_true", help="cut shapes off at the edge of the picture")
    degenerate = "leave out polygons that enclose nothing, such as those of two points, and list them"
    one.add_argument("--skip-degenerate", action="store_true", help=degenerate)
    if name != "labelme":
        one.add_argument("--boxes", action="store_true", help="fill boxes that have no polygon")
    if name != "coco":
        names = "the classes in the order of their index, as in cell,nucleus"
        one.add_argument("--names", type=_names, metavar="NAMES", help=names)


def _add_labelme_options(one: argparse.ArgumentParser) -> None:
    keep = "an image without a JSON is all background, instead of left out"
    one.add_argument("--keep-unlabelled", action="store_true", help=keep)
    pair = "which image a JSON is about: the one that imagePath names, or the one with the name of the JSON"
    one.add_argument("--pair", choices=["imagePath", "name"], help=pair)
    picture = "do not compare the picture in a JSON (imageData) with the image file"
    one.add_argument("--ignore-image-data", action="store_true", help=picture)
    encoding = "of the JSON files that are not UTF-8: such as gbk or cp1252"
    one.add_argument("--encoding", type=_encoding, metavar="NAME", help=encoding)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _encoding(text: str) -> str:
    try:
        "a".encode(text)  # codecs.lookup also knows codecs that are not for text, such as hex
        return codecs.lookup(text).name
    except (LookupError, ValueError):  # UnicodeError is a ValueError
        raise argparse.ArgumentTypeError(f"no such encoding: {text}") from None


def main(given: argparse.Namespace) -> None:
    from src.convert.annotations import Options
    from src.convert.coco import read_coco
    from src.convert.labelme import read_labelme
    from src.convert.summary import describe
    from src.convert.voc import read_voc
    from src.convert.write import write
    from src.convert.yolo import read_yolo

    options = Options(
        coordinates=given.coordinates,
        clip=getattr(given, "clip", False),  # a format has only the options that it needs
        boxes=getattr(given, "boxes", False),
        holes=getattr(given, "holes", None),
        skip_degenerate=getattr(given, "skip_degenerate", False),
        pair=getattr(given, "pair", None),
        picture=not getattr(given, "ignore_image_data", False),
        encoding=getattr(given, "encoding", None),
    )
    if given.format == "coco":
        annotations = read_coco(given.source, given.images, options, ignore_crowds=not given.fill_crowds)
    elif given.format == "labelme":
        annotations = read_labelme(
            given.source, options, images=given.images, names=given.names, keep_unlabelled=given.keep_unlabelled
        )
    elif given.format == "yolo":
        annotations = read_yolo(given.source, options, given.names)
    else:
        annotations = read_voc(given.source, options)
    print(describe(write(annotations, given.out)))
    print(f"\nCheck it: python -m tools.check {given.out}")


if __name__ == "__main__":
    run(arguments(), main)
