"""Files of a conversion: nothing is overwritten or left half-written, and masks lie as the image is shown."""

import numpy as np
import pytest

from src.convert.annotations import Options
from src.convert.frame import TURNS, read_header
from src.data.reading.images import read_image
from src.errors import UserError
from tests.annotated import SQUARE, box, from_coco, paired, photo, stored


def test_existing_files_are_never_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    from_coco(tmp_path, (3, [SQUARE], {}))
    before = stored(tmp_path)
    with pytest.raises(UserError, match="out: is not empty"):
        from_coco(tmp_path, (3, [SQUARE], {}))
    np.testing.assert_array_equal(stored(tmp_path), before)
    for out, why in [("photos/out", "lies in .*photos, which is only read"), ("a.json", "is not a folder")]:
        with pytest.raises(UserError, match=why):
            from_coco(tmp_path, (3, [SQUARE], {}), out=out)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.png"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "a.png")

    monkeypatch.setattr("src.convert.write.shutil.copyfile", full)
    with pytest.raises(UserError, match="No space left on device; nothing was written"):
        from_coco(tmp_path, (3, [SQUARE], {}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "photos"]


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", [1, *TURNS])
@pytest.mark.parametrize("coordinates", ["shown", "stored"])
def test_masks_lie_as_the_image_is_shown(tmp_path, kind, orientation, coordinates):
    name = f"a.{kind}"
    path = photo(tmp_path / "photos" / name, orientation=orientation)
    header = read_header(path)
    assert header.stored == (12, 10) and header.shown == read_image(path).shape[1::-1]
    size = dict(zip(("width", "height"), getattr(header, coordinates), strict=True))
    option = None if orientation >= 5 or orientation == 1 else coordinates  # else the size decides
    images = [{"id": 7, "file_name": name} | size]
    corner = (3, box(0, 0, 4, 3), {})  # the first pixels of the picture that was annotated
    from_coco(tmp_path, corner, images=images, options=Options(coordinates=option), name=name)
    (content,) = [pair.read(None) for pair in paired(tmp_path / "out")]
    mask = content.labels.codes
    image = read_image(path)[..., 0]
    annotated = np.zeros(size["height"] * size["width"], np.uint8).reshape(size["height"], size["width"])
    annotated[:3, :4] = 1
    if coordinates == "shown":
        np.testing.assert_array_equal(mask, annotated)
    else:  # the corner of the stored pixels holds the darkest ones
        assert image[mask == 1].mean() < 60 < image[mask == 0].mean() and mask.sum() == 12
        assert image[mask == 1].max() <= 20 + 9 * 3 + 3 * 2 + 6


@pytest.mark.parametrize(("width", "height", "orientation"), [(12, 10, 3), (12, 10, 2), (10, 10, 6)])
def test_an_orientation_that_no_size_tells_is_refused_without_an_option(tmp_path, width, height, orientation):
    photo(tmp_path / "photos/a.png", width, height, orientation)
    images = [{"id": 7, "file_name": "a.png", "width": width, "height": height}]
    with pytest.raises(UserError, match=f"EXIF orientation {orientation}.*--coordinates"):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images)
    from_coco(tmp_path, (3, [SQUARE], {}), images=images, options=Options(coordinates="stored"))
    assert stored(tmp_path).sum() == 16 and not stored(tmp_path)[2, 2]


def test_a_turned_image_without_shapes_needs_no_option(tmp_path):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/b.png", orientation=3)
    images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "b.png", "width": 12, "height": 10}]
    assert from_coco(tmp_path, (3, [SQUARE], {}), images=images).unannotated == 1


def test_a_stated_size_that_differs_from_the_image_is_refused(tmp_path):
    images = [{"id": 7, "file_name": "a.png", "width": 10, "height": 12}]
    with pytest.raises(UserError, match=r"'a\.png': is 12 × 10 pixels, but its annotations say 10 × 12"):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images)
