"""The formats that tools.convert reads, and their options on the command line. Imports nothing, so that --help is fast.

A format names the options that it has; `OPTIONS` says what they are.
"""

from dataclasses import dataclass

SHAPES = ("coordinates", "clip", "skip-degenerate")  # options of all formats with coordinates


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        line: One line for the list of formats.
        about: The text of its own help, lines of at most 120 characters.
        options: Names of its options, keys of `OPTIONS`.
        source: What its first argument is.
        images: Whether --images is "required", "optional", or not an option ("").
    """

    line: str
    about: str
    options: tuple[str, ...]
    source: str = "FOLDER"
    images: str = ""


FORMATS = {
    "coco": Format(
        "one JSON of instances",
        """\
COCO instances: polygons and RLE. Classes are numbered by category id. Crowds (iscrowd) become pixels to ignore.
Smaller shapes are drawn over larger ones. The polygons of an annotation are added up; one inside another is a hole if
the area says so. Images are found by their path, else by their decoded name or base name.""",
        (*SHAPES, "boxes", "fill-crowds", "holes"),
        "FILE.json",
        "required",
    ),
    "labelme": Format(
        "a JSON for each image",
        """\
labelme: polygons, rectangles, circles and masks. Classes are numbered in alphabetical order. Later shapes are drawn
over earlier ones; a hole is a later shape with the label _background_. The image of a JSON is the one that imagePath
names, beside the JSON or below --images. It must look like imageData, the picture in the JSON.""",
        (*SHAPES, "names", "keep-unlabelled", "pair", "ignore-image-data", "encoding"),
        images="optional",
    ),
    "yolo": Format(
        "a text file of polygons for each",
        """\
YOLO segmentation: FOLDER/images and FOLDER/labels, or both below FOLDER/train, FOLDER/val and so on, which become
official lists. Class names are in data.yaml or classes.txt. Smaller shapes are drawn over larger ones. An image without
a text file shows no class. Coordinates are shares of width and height.""",
        (*SHAPES, "boxes", "names"),
    ),
    "voc": Format(
        "masks in colours and a labelmap.txt, as CVAT exports them",
        """\
Pascal VOC: masks in colours, and FOLDER/labelmap.txt with a line name:red,green,blue:: for each class, as CVAT exports
them ("Segmentation mask 1.1"). Folders are JPEGImages/ and SegmentationClass/, or images/ and masks/. Classes are
numbered in the order of labelmap.txt. 224,224,192 and classes called void, ignored or unlabelled become pixels to
ignore. The lists train, val and test in ImageSets/Segmentation/ become official lists.""",
        ("coordinates",),
    ),
    "label-studio": Format(
        "one JSON of tasks with brush masks and polygons",
        """\
Label Studio's export "JSON": brush masks, polygons and ellipses. Classes are numbered in alphabetical order. Later
regions are drawn over earlier ones. Of several annotations of a task, the one marked as ground truth counts. Images are
found by their path, else by their decoded name or base name, with or without the prefix of uploaded files. The export
"COCO" has no brush masks; convert it with coco.""",
        (*SHAPES, "boxes", "names"),
        "FILE.json",
        "required",
    ),
    "masks": Format(
        "several mask files for an image: for each class, object or part",
        """\
Several mask files for an image. Their image is the one that a folder of the mask is called after, or the one whose name
begins or ends the name of the mask: ID/images/ID.png with ID/masks/*.png; a.png with a_mask.png and a_mask_1.png;
images/a.png with masks/a_MA.png and masks/a_HE.png, or with masks/MA/a.png and masks/HE/a.png. --each class: the folder
or the rest of the name is the class; later classes are drawn over earlier ones. --each object: masks number the
objects. --each part: files are added up. With --images, all files in FOLDER are masks.""",
        ("each", "coordinates", "names", "threshold", "keep-unlabelled"),
        images="optional",
    ),
    "arrays": Format(
        "an array of NumPy or MATLAB for each image (.npy, .npz, .mat)",
        """\
Arrays of NumPy (.npy, .npz) and MATLAB (.mat, also of version 7.3) as masks: whole numbers, [height, width]. They are
called after their images, beside these or below --images. 0 is the background. If an array holds one other value, it is
the only class; --names gives the classes of the values 1, 2 …; with --objects, numbers are objects, and masks number
them. Python objects in such files (pickle) are refused, since they can run code.""",
        ("coordinates", "names", "objects", "key", "ignore"),
        images="optional",
    ),
    "geojson": Format(
        "a GeoJSON of features for each image, from QuPath or a map",
        """\
GeoJSON: a file of polygons with holes for each image, called after it. The class is QuPath's classification, or the
property that --property names. Smaller features are drawn over larger ones. QuPath's class Ignore* becomes pixels to
ignore. Coordinates are in pixels in files of QuPath; a crs means map coordinates, which need a GeoTIFF in the same
reference system. Other files need --units if both are possible.""",
        (*SHAPES, "names", "property", "unclassified", "units"),
        images="optional",
    ),
    "via": Format(
        "one JSON of VGG Image Annotator (VIA) 2",
        """\
VGG Image Annotator (VIA) 2: a saved project or exported annotations, as JSON. Polygons, circles and ellipses. The class
is the only attribute of the regions, or the one that --property names. Classes are numbered in alphabetical order.
Later regions are drawn over earlier ones. Images are found by their path, else by their decoded name or base name.""",
        (*SHAPES, "boxes", "names", "property", "unclassified", "keep-unlabelled"),
        "FILE.json",
        "required",
    ),
}

NAMES = "the classes in the order of their index, such as cell,nucleus"
OPTIONS: dict[str, dict[str, object]] = {  # arguments of argparse; a name in "type" is replaced by its function
    "coordinates": {"choices": ["shown", "stored"], "help": "how images that EXIF turns were annotated"},
    "clip": {"action": "store_true", "help": "cut shapes off at the image border; otherwise such shapes are errors"},
    "skip-degenerate": {
        "action": "store_true",
        "help": "leave out polygons without an area; otherwise they are errors",
    },
    "each": {"choices": ["class", "object", "part"], "required": True, "help": "what a mask file holds"},
    "threshold": {
        "type": "grey",
        "metavar": "GREY",
        "default": 0,
        "help": "from this value on, a pixel is inside (default: masks must hold 0 and 1, or 0 and 255)",
    },
    "objects": {"action": "store_true", "help": "the numbers are objects of one class, not classes"},
    "key": {"metavar": "NAME", "help": "the variable in .npz and .mat files (default: the only one of two dimensions)"},
    "ignore": {"type": "whole", "metavar": "VALUE", "help": "the value of pixels that nobody annotated"},
    "property": {"metavar": "NAME", "help": "the property of a feature or region that names its class"},
    "unclassified": {"metavar": "CLASS", "help": "the class of features without one; otherwise they are errors"},
    "units": {"choices": ["pixels", "map"], "help": "what coordinates are in, if the files do not tell"},
    "boxes": {"action": "store_true", "help": "fill boxes without a polygon; otherwise they are errors"},
    "names": {"type": "names", "metavar": "NAMES", "help": NAMES},
    "fill-crowds": {"action": "store_true", "help": "fill crowds like other shapes"},
    "holes": {
        "choices": ["cut", "fill"],
        "help": "a polygon inside another one is a hole, or is filled, whatever the area says",
    },
    "keep-unlabelled": {"action": "store_true", "help": "images without annotations are all background, else left out"},
    "pair": {
        "choices": ["imagePath", "name"],
        "help": "the image of a JSON: the one that imagePath names, or the one with the name of the JSON",
    },
    "ignore-image-data": {"action": "store_true", "help": "do not compare imageData with the image"},
    "encoding": {
        "type": "encoding",
        "metavar": "NAME",
        "help": "encoding of JSON files that are not UTF-8, such as gbk or cp1252",
    },
}
