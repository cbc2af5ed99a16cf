"""Annotations that contradict themselves, their image or an option are refused, or reported with a warning."""

import pytest

from src.convert.annotations import Options
from src.errors import UserError
from tests.annotated import (
    SQUARE,
    from_coco,
    from_labelme,
    labelme,
    photo,
)


def test_a_box_at_another_place_than_the_polygon_adds_a_warning(tmp_path):
    summary = from_coco(tmp_path, (3, [SQUARE], {"bbox": [2, 2, 4, 4]}), (3, [SQUARE], {"bbox": [7, 2, 4, 4]}))
    assert [finding.file for finding in summary.warnings] == ["annotations[1] on a.png"]
    assert "bbox and segmentation differ" in summary.warnings[0].what


def test_a_file_name_and_a_path_that_name_two_images_are_refused(tmp_path):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/b.png")
    images = [{"id": 7, "file_name": "a.png", "path": "/datasets/set/b.png"}]
    with pytest.raises(UserError, match=r"file_name is 'a\.png', but path is another image, 'b\.png'"):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images)
    images[0]["path"] = "/datasets/set/gone.png"
    from_coco(tmp_path, (3, [SQUARE], {}), images=images)


@pytest.mark.parametrize(("size", "proved", "option"), [((12, 10), "stored", "shown"), ((10, 12), "shown", "stored")])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_coordinates_that_contradict_the_sizes_are_refused(tmp_path, orientation, size, proved, option):
    photo(tmp_path / "photos/a.png", orientation=orientation)
    images = [{"id": 7, "file_name": "a.png", "width": size[0], "height": size[1]}]
    why = rf"'a\.png': its annotations say {size[0]} × {size[1]} .* as {proved}, but --coordinates says {option}"
    with pytest.raises(UserError, match=why):
        from_coco(tmp_path, (3, [SQUARE], {}), images=images, options=Options(coordinates=option))
    from_coco(tmp_path, (3, [SQUARE], {}), images=images, options=Options(coordinates=proved))
    labelme(tmp_path / "set/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), size=size)
    photo(tmp_path / "set/a.png", orientation=orientation)
    with pytest.raises(UserError, match=f"as {proved}, but --coordinates says {option}"):
        from_labelme(tmp_path, "labelme", options=Options(coordinates=option))


def test_shapes_that_fit_the_image_only_the_other_way_up_are_refused(tmp_path):
    photo(tmp_path / "photos/a.png", orientation=6)  # 12 × 10 as stored
    images, wide = [{"id": 7, "file_name": "a.png"}], (3, [[0, 0, 12, 0, 12, 5]], {})
    for clip in (False, True):
        with pytest.raises(UserError, match=r"fits the image as stored, 12 × 10.*--coordinates stored"):
            from_coco(tmp_path, wide, images=images, options=Options(coordinates="shown", clip=clip))
    assert from_coco(tmp_path, wide, images=images, options=Options(coordinates="stored")).images == 1
