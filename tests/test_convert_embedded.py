"""The picture inside a labelme JSON (imageData) must look like the image file."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from src.convert.annotations import Options
from src.convert.formats.voc import read_voc
from src.errors import UserError
from tests.annotated import (
    from_labelme,
    labelme,
    photo,
    run,
)


def scene(seed=0, width=96, height=72):
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def embedded(folder, shown, kind="PNG", image="a.png", size=(96, 72), **more):
    file = io.BytesIO()
    shown.save(file, kind, **more)
    text = base64.b64encode(file.getvalue()).decode()
    labelme(folder / "a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), image=image, size=size, imageData=text)


CHANGES = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned": lambda image: image.rotate(180),
    "another": lambda image: scene(1),
    "shifted": lambda image: Image.fromarray(np.roll(np.asarray(image), 24, axis=1)),
    "smaller": lambda image: image.resize((48, 36)),
    "cropped": lambda image: image.crop((20, 20, 96, 72)).resize((96, 72)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_that_differs_from_the_picture_in_its_json_is_refused_without_the_option(tmp_path, change):
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    embedded(tmp_path / "set", CHANGES[change](scene()))
    with pytest.raises(UserError, match=r"'a\.json': .*imageData.*--ignore-image-data"):
        from_labelme(tmp_path)
    assert from_labelme(tmp_path, options=Options(compare_embedded=False)).images == 1


COPIES = {
    "equal": lambda image: image,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.5),
    "grey": lambda image: image.convert("L"),
    "equalised": ImageOps.equalize,
    "noisy": lambda image: Image.fromarray(
        np.clip(np.asarray(image) + np.random.default_rng(0).normal(0, 20, (72, 96, 3)), 0, 255).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize(("kind", "more"), [("PNG", {}), ("JPEG", {"quality": 40})])
def test_a_copy_of_the_image_in_its_json_is_accepted(tmp_path, copy, kind, more):
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    embedded(tmp_path / "set", COPIES[copy](scene()), kind, **more)
    assert not from_labelme(tmp_path).warnings


def deep(kind):
    """The scene in grey, with more than 8 bits and a hot pixel; floats also have pixels that are NaN."""
    grey = np.asarray(scene().convert("L"), np.float32)
    if kind == "16 bits":
        pixels = (grey * 4 + 300).astype(np.uint16)
        pixels[5, 5] = 65535
        return pixels
    pixels = grey / 255 if kind == "floats from 0 to 1" else grey * 1e6 - 1e8
    pixels[3, 3:6] = np.nan, np.inf, -np.inf
    return pixels.astype(np.float32)


@pytest.mark.parametrize("kind", ["16 bits", "floats from 0 to 1", "large floats"])
def test_images_of_more_than_8_bits_are_compared_for_any_range_of_values(tmp_path, kind):
    (tmp_path / "set").mkdir()
    name = "a.png" if kind == "16 bits" else "a.tif"
    Image.fromarray(deep(kind)).save(tmp_path / "set" / name)
    for other, fits in [(scene(), True), (Image.fromarray(deep(kind)), True), (scene(1), False)]:
        embedded(tmp_path / "set", other, "TIFF" if other.mode == "F" else "PNG", image=name)
        if fits:
            assert from_labelme(tmp_path, f"out-{other.mode}").images == 1
        else:
            with pytest.raises(UserError, match="is not the picture that the JSON holds"):
                from_labelme(tmp_path)


@pytest.mark.parametrize("orientation", [2, 3, 5, 6, 7, 8])
@pytest.mark.parametrize("coordinates", ["shown", "stored"])
def test_an_embedded_copy_of_the_file_with_its_exif_orientation_is_the_same_picture(tmp_path, orientation, coordinates):
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.jpg", exif=exif, quality=95)
    size = (72, 96) if orientation >= 5 and coordinates == "shown" else (96, 72)
    for turned, fits in [(False, True), (True, False)]:
        content = scene().rotate(180) if turned else scene()
        embedded(tmp_path / "set", content, "JPEG", image="a.jpg", size=size, exif=exif, quality=95)
        if fits:
            assert from_labelme(tmp_path, options=Options(coordinates=coordinates)).images == 1
        else:
            with pytest.raises(UserError, match="is not the picture that the JSON holds"):
                from_labelme(tmp_path, "other", options=Options(coordinates=coordinates))


def test_no_program_is_started_for_postscript(tmp_path, monkeypatch):
    """Pillow knows EPS, too, and starts Ghostscript for it."""
    started = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: started.append(True) or scene().im)
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    embedded(tmp_path / "set", scene(), "EPS")
    assert from_labelme(tmp_path).images == 1
    scene().save(tmp_path / "set/a.png", "EPS")
    with pytest.raises(UserError, match=r"a\.png'?: cannot be read as an image"):
        from_labelme(tmp_path, "more")
    for name in ("images", "masks"):
        (tmp_path / "voc" / name).mkdir(parents=True)
    scene().save(tmp_path / "voc/images/a.png")
    scene().save(tmp_path / "voc/masks/a.png", "EPS")
    (tmp_path / "voc/labelmap.txt").write_text("background:0,0,0::\ncat:250,50,83::\n")
    with pytest.raises(UserError, match=r"mask a\.png: cannot be read as an image"):
        read_voc(tmp_path / "voc", Options()).findings.stop_on_errors()
    assert not started


@pytest.mark.parametrize("content", ["", "no base64!", "aGVsbG8=", None])
def test_image_data_that_holds_no_picture_is_not_compared(tmp_path, content):
    photo(tmp_path / "set/a.png")
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), imageData=content)
    assert from_labelme(tmp_path).images == 1


@pytest.mark.parametrize(("orientation", "coordinates"), [(6, None), (3, "shown"), (2, "shown")])
def test_the_picture_in_a_json_is_compared_with_the_image_as_it_is_shown(tmp_path, orientation, coordinates):
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "set").mkdir()
    scene(width=72 if orientation == 6 else 96, height=96 if orientation == 6 else 72).save(
        tmp_path / "set/a.jpg", exif=exif, quality=95
    )
    shown = ImageOps.exif_transpose(Image.open(tmp_path / "set/a.jpg"))
    embedded(tmp_path / "set", shown)
    content = json.loads((tmp_path / "set/a.json").read_text()) | {"imagePath": "a.jpg"}
    (tmp_path / "set/a.json").write_text(json.dumps(content))
    assert from_labelme(tmp_path, options=Options(coordinates=coordinates)).images == 1
    if coordinates:
        with pytest.raises(UserError, match="is not the picture that the JSON holds"):
            from_labelme(tmp_path, "stored", options=Options(coordinates="stored"))


def test_the_command_has_an_option_to_ignore_the_picture(tmp_path):
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set/a.png")
    scene().save(tmp_path / "set/b.png")
    embedded(tmp_path / "set", scene(1))
    options = ("--pair", "imagePath", "--ignore-image-data", "--encoding", "gbk", "--skip-degenerate")
    assert run("labelme", tmp_path / "set", *options, "--out", tmp_path / "labelme").returncode == 0
