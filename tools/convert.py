"""Convert COCO, labelme, YOLO or VOC annotations to a data set: images/, masks/ and dataset.yaml.

  python -m tools.convert coco annotations.json --images photos --out data/my-set
  python -m tools.convert labelme photos --out data/my-set
  python -m tools.convert yolo export --out data/my-set
  python -m tools.convert voc export --out data/my-set

Images are copied unchanged. Masks are 8-bit PNG: 0 is the background, 1, 2 … are the classes, 255 is ignored.
A pixel belongs to a shape if the centre of the pixel lies inside. The source is never changed. If there are problems,
one message lists all of them, and nothing is written.
"""

import argparse
import codecs
import functools
from pathlib import Path

from tools import parser, run

NOTES = """\
Masks fit the image as it is shown. If EXIF turns an image, the size in the annotations tells which way they were drawn;
if it cannot tell, use --coordinates. A class called background or bg is 0, one called __ignore__ is 255.
"""
HELP = {
    "coco": "one JSON of instances",
    "labelme": "a JSON for each image",
    "yolo": "a text file of polygons for each",
    "voc": "masks in colours and a labelmap.txt, as CVAT exports them",
}
ABOUT = {
    "coco": """\
COCO instances: polygons and RLE. Classes are numbered by category id. Crowds (iscrowd) become pixels to ignore.
Smaller shapes are drawn over larger ones. The polygons of an annotation are added up; one inside another is a hole if
the area says so. Images are found by their path, else by their decoded name or base name.""",
    "labelme": """\
labelme: polygons, rectangles, circles and masks. Classes are numbered in alphabetical order. Later shapes are drawn
over earlier ones; a hole is a later shape with the label _background_. The image of a JSON is the one that imagePath
names, beside the JSON or below --images. It must look like imageData, the picture in the JSON.""",
    "yolo": """\
YOLO segmentation: FOLDER/images and FOLDER/labels, or both below FOLDER/train, FOLDER/val and so on, which become
official lists. Class names are in data.yaml or classes.txt. Smaller shapes are drawn over larger ones. An image without
a text file shows no class. Coordinates are shares of width and height.""",
    "voc": """\
Pascal VOC: masks in colours, and FOLDER/labelmap.txt with a line name:red,green,blue:: for each class, as CVAT exports
them ("Segmentation mask 1.1"). Folders are JPEGImages/ and SegmentationClass/, or images/ and masks/. Classes are
numbered in the order of labelmap.txt. 224,224,192 and classes called void, ignored or unlabelled become pixels to
ignore. The lists train, val and test in ImageSets/Segmentation/ become official lists.""",
}
WIDE = functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=32, width=120)


def arguments() -> argparse.ArgumentParser:
    top = parser("convert", __doc__, "python -m tools.convert FORMAT --help says more.")
    formats = top.add_subparsers(dest="format", required=True, metavar="FORMAT")
    own = {
        name: formats.add_parser(
            name,
            help=HELP[name],
            description=ABOUT[name],
            epilog=NOTES,
            formatter_class=WIDE,
        )
        for name in HELP
    }
    for name, one in own.items():
        one.add_argument("source", type=Path, metavar="FILE.json" if name == "coco" else "FOLDER")
        if name in ("coco", "labelme"):
            one.add_argument(
                "--images", type=Path, required=name == "coco", metavar="FOLDER", help="the folder of the images"
            )
        one.add_argument(
            "--out", type=Path, required=True, metavar="FOLDER", help="the data set: a new or empty folder"
        )
        one.add_argument("--coordinates", choices=["shown", "stored"], help="how images that EXIF turns were annotated")
        if name != "voc":
            _add_shape_options(name, one)
    crowds = "fill crowds like other shapes"
    own["coco"].add_argument("--fill-crowds", action="store_true", help=crowds)
    holes = "a polygon inside another one is a hole, or is filled, whatever the area says"
    own["coco"].add_argument("--holes", choices=["cut", "fill"], help=holes)
    _add_labelme_options(own["labelme"])
    return top


def _add_shape_options(name: str, one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--clip", action="store_true", help="cut shapes off at the image border; otherwise such shapes are errors"
    )
    degenerate = "leave out polygons without an area; otherwise they are errors"
    one.add_argument("--skip-degenerate", action="store_true", help=degenerate)
    if name != "labelme":
        one.add_argument("--boxes", action="store_true", help="fill boxes without a polygon; otherwise they are errors")
    if name != "coco":
        names = "the classes in the order of their index, such as cell,nucleus"
        one.add_argument("--names", type=_names, metavar="NAMES", help=names)


def _add_labelme_options(one: argparse.ArgumentParser) -> None:
    keep = "images without a JSON are all background, else left out"
    one.add_argument("--keep-unlabelled", action="store_true", help=keep)
    pair = "the image of a JSON: the one that imagePath names, or the one with the name of the JSON"
    one.add_argument("--pair", choices=["imagePath", "name"], help=pair)
    picture = "do not compare imageData with the image"
    one.add_argument("--ignore-image-data", action="store_true", help=picture)
    encoding = "encoding of JSON files that are not UTF-8, such as gbk or cp1252"
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
    from src.convert.formats.coco import read_coco
    from src.convert.formats.labelme import read_labelme
    from src.convert.formats.voc import read_voc
    from src.convert.formats.yolo import read_yolo
    from src.convert.summary import describe
    from src.convert.write import write_data_set

    options = Options(
        coordinates=given.coordinates,
        clip=getattr(given, "clip", False),  # a format has only the options that it needs
        boxes=getattr(given, "boxes", False),
        holes=getattr(given, "holes", None),
        skip_degenerate=getattr(given, "skip_degenerate", False),
        paired_by=getattr(given, "pair", None),
        compare_embedded=not getattr(given, "ignore_image_data", False),
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
    print(describe(write_data_set(annotations, given.out)))
    print(f"\nCheck it: python -m tools.check {given.out}")


if __name__ == "__main__":
    run(arguments(), main)
