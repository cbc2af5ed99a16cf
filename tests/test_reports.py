"""Problems that people reported for other segmentation tools, rebuilt: files, names and ranges.

Each test names the report. The right pixels come from NumPy arrays that Pillow or tifffile saved.
"""

import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from src.data.crops.normalise import has_other_range, scaled_intensities
from src.data.reading.images import read_image
from tests.corpus import chunk, png, saved
from tests.reported import (
    COUNT,
    HEIGHT,
    WIDTH,
    data_set,
    findings,
    index_mask,
    picture,
    refused,
    same_pixels,
    save,
    unremarked,
    warned,
)

MASKS = {f"c{number}": index_mask(number) for number in range(COUNT)}
IMAGES = {f"c{number}": picture(number) for number in range(COUNT)}


def test_tiffs_are_read_by_any_of_their_extensions(tmp_path):
    """.TIF and .tiff (MouseLand/cellpose#555 and #396)."""
    for number in range(COUNT):
        save(tmp_path / f"set/images/c{number}.TIF", picture(number))
        suffix = (".tif", ".tiff", ".TIFF", ".Tif")[number % 4]
        tifffile.imwrite(tmp_path / "mask.tif", index_mask(number))
        (tmp_path / "set/masks").mkdir(exist_ok=True)
        (tmp_path / "mask.tif").rename(tmp_path / f"set/masks/c{number}{suffix}")
    same_pixels(unremarked(tmp_path, tmp_path / "set"), MASKS, IMAGES)


@pytest.mark.parametrize(
    ("first", "options"),
    [
        (False, {"photometric": "minisblack", "planarconfig": "contig"}),
        (True, {"photometric": "minisblack", "planarconfig": "separate"}),
        (True, {"imagej": True}),
        (True, {"ome": True, "metadata": {"axes": "CYX"}}),
    ],
)
def test_two_channels_are_read_alike_first_or_last(tmp_path, first, options):
    """Read as 256 images of 256 × 2 pixels (MouseLand/cellpose#148)."""
    two = picture(1)[..., :2]
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(two, -1, 0).copy() if first else two.copy(), **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), two)


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{me}">{images}</OME>"""


def ome_image(number, channels, times, parts):
    size = f'SizeX="{WIDTH}" SizeY="{HEIGHT}" SizeC="{channels}" SizeZ="1" SizeT="{times}"'
    return f'<Image ID="Image:{number}"><Pixels DimensionOrder="XYCZT" Type="uint8" {size}>{parts}</Pixels></Image>'


def ome_part(number, axis):
    place = f'FirstC="{number if axis == "C" else 0}" FirstT="{number if axis == "T" else 0}"'
    uuid = f'<UUID FileName="c{number}.ome.tif">urn:uuid:{number}</UUID>'
    return f'<TiffData {place} IFD="0" PlaneCount="1">{uuid}</TiffData>'


@pytest.mark.parametrize("axis", ["positions", "T", "C"])
@pytest.mark.parametrize("missing", [0, 3])
def test_one_file_of_a_multi_file_ome_image_is_read_by_itself(tmp_path, axis, missing):
    """tifffile reads the other files too, and zeros for those that are missing (cgohlke/tifffile#54)."""
    number = COUNT + missing
    if axis == "positions":
        images = "".join(ome_image(one, 1, 1, ome_part(one, "")) for one in range(number))
    else:
        sizes = (number, 1) if axis == "C" else (1, number)
        images = ome_image(0, *sizes, "".join(ome_part(one, axis) for one in range(number)))
    for one in range(COUNT):
        path = tmp_path / f"set/images/c{one}.ome.tif"
        save(path, picture(one)[..., 0], metadata=None, description=OME.format(me=one, images=images))
        save(tmp_path / f"set/masks/c{one}.ome.png", index_mask(one) * 255)
    store = unremarked(tmp_path, tmp_path / "set")
    grey = {f"{name}.ome": pixels[..., 0] for name, pixels in IMAGES.items()}
    same_pixels(store, {f"{name}.ome": mask for name, mask in MASKS.items()}, grey)


def test_one_bit_masks_that_store_white_as_0_and_were_saved_by_tifffile_are_asked_about(tmp_path):
    """True is black in viewers (scikit-image/scikit-image#1940, imageio/imageio#355)."""
    source = data_set(tmp_path / "set", lambda number: index_mask(number) > 0, names=("c{0}.png", "c{0}.tif"))
    (error,) = refused(tmp_path, source, "does with boolean arrays", "classes: {0: background, 1: foreground}")
    line = error["setting"].rpartition("array: ")[2]
    (source / "dataset.yaml").write_text(f"{line}\nbackground: background\n")
    (tmp_path / "again").mkdir()
    store = warned(tmp_path / "again", source, "True as 0")
    names = store.dataset.names
    for index, record in enumerate(store.records):
        shown = np.array(names)[store.mask(index)] == "foreground"
        np.testing.assert_array_equal(shown, tifffile.imread(source / f"masks/{record.id}.tif"))


@pytest.mark.parametrize("options", [{"tiffinfo": {262: 0}}, {"compression": "group4"}, {}])
def test_one_bit_masks_of_pillow_are_read_as_viewers_show_them(tmp_path, options):
    for number in range(COUNT):
        save(tmp_path / f"set/images/c{number}.png", picture(number))
        (tmp_path / "set/masks").mkdir(exist_ok=True)
        Image.fromarray(index_mask(number) > 0).save(tmp_path / f"set/masks/c{number}.tif", **options)
    same_pixels(unremarked(tmp_path, tmp_path / "set"), MASKS)


@pytest.mark.parametrize("kind", ["grey", "palette", "bits"])
def test_a_transparent_value_changes_no_mask(tmp_path, kind):
    """PNG with a tRNS chunk (image-js/fast-png#31)."""
    source = data_set(tmp_path / "set")
    for number in range(COUNT):
        mask, transparent = index_mask(number), chunk(b"tRNS", struct.pack(">H", 0))
        colours = chunk(b"PLTE", bytes([0, 0, 0, 255, 0, 0])), chunk(b"tRNS", bytes([0, 255]))
        content = {
            "grey": lambda mask=mask, extra=transparent: png(mask * 255, 8, 0, extra),
            "palette": lambda mask=mask, extra=colours: png(mask, 8, 3, *extra),
            "bits": lambda mask=mask, extra=transparent: png(np.packbits(mask, axis=1), 1, 0, extra),
        }[kind]()
        (source / f"masks/c{number}.png").write_bytes(content)
    same_pixels(unremarked(tmp_path, source), MASKS, IMAGES)


@pytest.mark.parametrize("alpha", [0, 255])
@pytest.mark.parametrize("fields", [False, True])
def test_the_fourth_byte_of_a_bmp_is_not_read_as_alpha(tmp_path, alpha, fields):
    """Read as transparent, so black (SixLabors/ImageSharp#581, libsdl-org/SDL_image#64)."""

    def bmp(pixels):
        rows = np.dstack([pixels[..., ::-1], np.full((HEIGHT, WIDTH), alpha, np.uint8)])[::-1]
        masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF) if fields else b""
        head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 32, 3 if fields else 0, 0, 0, 0, 0, 0) + masks
        start = 14 + len(head)
        return b"BM" + struct.pack("<IHHI", start + rows.nbytes, 0, 0, start) + head + rows.tobytes()

    for number in range(COUNT):
        for kind, pixels in (("images", picture(number)), ("masks", index_mask(number)[..., None].repeat(3, 2) * 255)):
            path = tmp_path / f"set/{kind}/c{number}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bmp(pixels.astype(np.uint8)))
    same_pixels(unremarked(tmp_path, tmp_path / "set"), MASKS, IMAGES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b"\xef\xbb\xbf<html><head>", "is a web page"),
        (b"AccessDenied", "it is text"),
        (b'{"error": "quota exceeded"}', "it is text"),
        (bytes(900), "nothing but zeros"),
        (saved(Image.fromarray(picture(0)[..., 0]), "GIF"), "is in GIF format"),
    ],
)
def test_the_remains_of_a_failed_download_are_recognised(tmp_path, content, words):
    """A file listed as a JPEG that is none (AlexeyAB/darknet#5293)."""
    source = data_set(tmp_path / "set")
    (source / "images/c2.png").write_bytes(content)
    (error,) = refused(tmp_path, source, words, "")
    assert error["file"] == "c2" and "images/c2.png" in error["what"]


def sixteen_bits(number, bits):
    return (picture(number) / 255 * (2**bits - 1)).astype(np.uint16)


def of_depths(folder, depths):
    source = data_set(folder)
    for number in range(COUNT):
        content = cv2.imencode(".png", sixteen_bits(number, depths[number % len(depths)])[..., ::-1])[1]
        (source / f"images/c{number}.png").write_bytes(content.tobytes())
    return source


@pytest.mark.parametrize("depths", [(12, 16), (10, 16, 16), (8, 16), (16,) * 7 + (12,)])
def test_images_of_another_bit_depth_are_warned_of(tmp_path, depths):
    """10 and 16 bits in one set of 16-bit files (aiff22/PyNET#2)."""
    store = warned(tmp_path, of_depths(tmp_path / "set", depths), "of another bit depth or scale: 'c")
    same_pixels(store, MASKS, {f"c{n}": sixteen_bits(n, depths[n % len(depths)]) for n in range(COUNT)})


@pytest.mark.parametrize("depths", [(12,), (16,), (14, 15, 16)])
def test_one_bit_depth_and_usual_exposures_give_no_warning(tmp_path, depths):
    unremarked(tmp_path, of_depths(tmp_path / "set", depths))


def test_floats_of_another_scale_are_warned_of(tmp_path):
    source = data_set(tmp_path / "set", names=("c{0}.tif", "c{0}.png"))
    for number in range(COUNT):
        save(
            source / f"images/c{number}.tif",
            (picture(number) / (1 if number < 2 else 255)).astype(np.float32),
            photometric="rgb",
        )
    warned(tmp_path, source, "the highest number of 2 image(s)")


def test_predict_detects_images_of_another_bit_depth():
    usual = [float(scaled_intensities(sixteen_bits(1, 16)).mean())] * 3
    assert has_other_range(sixteen_bits(2, 12), usual) and has_other_range(sixteen_bits(2, 10), usual)
    assert not has_other_range(sixteen_bits(2, 16), usual) and not has_other_range(sixteen_bits(2, 15), usual)
    floats = (picture(1) / 255).astype(np.float32)
    assert has_other_range(picture(2).astype(np.float32), [float(floats.mean())])
    assert not has_other_range(floats, [float(floats.mean())]) and not has_other_range(floats, [-3.0])


@pytest.mark.parametrize("size", [(HEIGHT - 1, WIDTH), (HEIGHT + 1, WIDTH + 1), (HEIGHT // 2, WIDTH // 2)])
def test_every_mask_of_another_size_is_listed(tmp_path, size):
    """One or a few pixels of difference (JingZhang617/COD-Rank-Localize-and-Segment#2, commaai/comma10k#1403)."""
    source = data_set(tmp_path / "set")
    for number in (2, 5):
        resized = cv2.resize(index_mask(number) * 255, size[::-1], interpolation=cv2.INTER_NEAREST)
        save(source / f"masks/c{number}.png", resized)
    words = f"the image is {WIDTH} × {HEIGHT} pixels, its mask {size[1]} × {size[0]}"
    errors = refused(tmp_path, source, words, "make both of one size")
    assert [row["file"] for row in errors] == ["c2", "c5"]


def test_an_image_with_two_masks_is_refused(tmp_path):
    """Annotated twice (sartorius-research/LIVECell#14)."""
    source = data_set(tmp_path / "set")
    save(source / "images/twice.png", picture(0))
    save(source / "masks/twice.png", index_mask(1) * 255)
    _, rows = findings(tmp_path, source)
    assert any("identical to the image 'c0', but its mask differs" in row["what"] for row in rows)
