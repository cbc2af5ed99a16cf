"""Convert annotations to a data set: images/, masks/ and dataset.yaml.

  python -m tools.convert auto export                      # which format is it?
  python -m tools.convert coco annotations.json --images photos --out data/my-set
  python -m tools.convert labelme photos --out data/my-set
  python -m tools.convert yolo export --out data/my-set
  python -m tools.convert voc export --out data/my-set
  python -m tools.convert label-studio export.json --images photos --out data/my-set
  python -m tools.convert masks stage1_train --each object --out data/my-set
  python -m tools.convert arrays export --images photos --out data/my-set
  python -m tools.convert geojson qupath --images photos --out data/my-set
  python -m tools.convert via via_project.json --images photos --out data/my-set

Images are copied unchanged. Masks are 8-bit PNG: 0 is the background, 1, 2 … are the classes, 255 is ignored; numbered
objects are 16-bit PNG.
A pixel belongs to a shape if the centre of the pixel lies inside. The source is never changed. If there are problems,
one message lists all of them, and nothing is written.
"""

import argparse
import codecs
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from src.convert.guide.descriptions import FORMATS, OPTIONS, Format
from tools import parser, run

if TYPE_CHECKING:
    from src.convert.annotations import Annotations, Options

NOTES = """\
Masks fit the image as it is shown. If EXIF turns an image, the size in the annotations tells which way they were drawn;
if it cannot tell, use --coordinates. A class called background or bg is 0, one called __ignore__ is 255.
"""
AUTO = "Recognise the format of FOLDER, and print the command that converts it. Nothing is written."
WIDE = functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=32, width=120)


def arguments() -> argparse.ArgumentParser:
    top = parser("convert", __doc__, "python -m tools.convert FORMAT --help says more.")
    formats = top.add_subparsers(dest="format", required=True, metavar="FORMAT")
    for name, one in FORMATS.items():
        own = formats.add_parser(name, help=one.line, description=one.about, epilog=NOTES, formatter_class=WIDE)
        _add_options(own, one)
    auto = formats.add_parser("auto", help="say which format a folder is in", description=AUTO, formatter_class=WIDE)
    auto.add_argument("source", type=Path, metavar="FOLDER")
    return top


def _add_options(own: argparse.ArgumentParser, one: Format) -> None:
    own.add_argument("source", type=Path, metavar=one.source)
    if one.images:
        folder = "the folder of the images"
        own.add_argument("--images", type=Path, required=one.images == "required", metavar="FOLDER", help=folder)
    own.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the data set: a new or empty folder")
    for name in one.options:
        settings = dict(OPTIONS[name])
        if "type" in settings:
            settings["type"] = TYPES[str(settings["type"])]
        own.add_argument(f"--{name}", **settings)  # type: ignore[arg-type]  # their types depend on the option


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _encoding(text: str) -> str:
    try:
        "a".encode(text)  # codecs.lookup also knows codecs that are not for text, such as hex
        return codecs.lookup(text).name
    except (LookupError, ValueError):  # UnicodeError is a ValueError
        raise argparse.ArgumentTypeError(f"no such encoding: {text}") from None


def _grey(text: str) -> float:
    value = float(text)
    if not 0 < value < 2**16:
        raise argparse.ArgumentTypeError(f"not a grey value above 0: {text}")
    return value


TYPES = {"names": _names, "encoding": _encoding, "grey": _grey, "whole": int}


def main(given: argparse.Namespace) -> None:
    from src.convert.annotations import Options
    from src.convert.guide.recognise import describe_formats
    from src.convert.summary import describe
    from src.convert.write import write_data_set

    if given.format == "auto":
        print(describe_formats(given.source))
        return
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
    print(describe(write_data_set(_read(given, options), given.out)))
    print(f"\nCheck it: python -m tools.check {given.out}")


def _read(given: argparse.Namespace, options: "Options") -> "Annotations":
    from src.convert.formats.arrays.arrays import Meaning, read_arrays
    from src.convert.formats.coco import read_coco
    from src.convert.formats.geojson.geojson import Reading, read_geojson
    from src.convert.formats.label_studio import read_label_studio
    from src.convert.formats.labelme import read_labelme
    from src.convert.formats.several_masks import Layout, read_several_masks
    from src.convert.formats.via import Labelling, read_via
    from src.convert.formats.voc import read_voc
    from src.convert.formats.yolo import read_yolo

    match given.format:
        case "coco":
            return read_coco(given.source, given.images, options, ignore_crowds=not given.fill_crowds)
        case "labelme":
            return read_labelme(
                given.source, options, images=given.images, names=given.names, keep_unlabelled=given.keep_unlabelled
            )
        case "yolo":
            return read_yolo(given.source, options, given.names)
        case "label-studio":
            return read_label_studio(given.source, given.images, options, given.names)
        case "masks":
            layout = Layout(given.each, given.names, given.threshold, given.keep_unlabelled)
            return read_several_masks(given.source, given.images, layout, options)
        case "arrays":
            meaning = Meaning(given.objects, given.names, given.key, given.ignore)
            return read_arrays(given.source, given.images, meaning, options)
        case "geojson":
            reading = Reading(given.names, given.property, given.unclassified, given.units)
            return read_geojson(given.source, given.images, reading, options)
        case "via":
            labelling = Labelling(given.names, given.property, given.unclassified, given.keep_unlabelled)
            return read_via(given.source, given.images, labelling, options)
        case _:
            return read_voc(given.source, options)


if __name__ == "__main__":
    run(arguments(), main)
