"""Which image a labelme JSON belongs to, where imagePath and the name of the JSON differ."""

import pytest

from src.convert.annotations import Options
from src.errors import UserError
from tests.annotated import (
    from_labelme,
    labelme,
    photo,
)


def pointing(folder, name, image):
    labelme(folder / f"{name}.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}), image=image)


@pytest.mark.parametrize("image", ["b.png", "..\\old\\b.png", "/home/me/b.png", "C:\\pictures\\b.png"])
def test_a_json_that_points_at_two_images_is_refused_without_the_option_pair(tmp_path, image):
    for name in ("a.png", "b.png"):
        photo(tmp_path / "set" / name)
    pointing(tmp_path / "set", "a", image)
    why = r"'a\.json': imagePath names 'b\.png', but another image, 'a\.png', has the name of the JSON.*--pair"
    with pytest.raises(UserError, match=why):
        from_labelme(tmp_path)
    from_labelme(tmp_path, "name", options=Options(paired_by="name"))
    from_labelme(tmp_path, "path", options=Options(paired_by="imagePath"))
    assert [path.name for path in (tmp_path / "name/masks").iterdir()] == ["a.png"]
    assert [path.name for path in (tmp_path / "path/masks").iterdir()] == ["b.png"]


def test_every_json_that_points_at_two_images_is_listed(tmp_path):
    for name in "abc":
        photo(tmp_path / f"set/{name}.png")
        pointing(tmp_path / "set", name, "a.png")  # as a program writes that names every image alike
    with pytest.raises(UserError, match="2 problem") as error:
        from_labelme(tmp_path)
    assert "'b.json'" in str(error.value) and "'c.json'" in str(error.value)


@pytest.mark.parametrize("image", ["../two/a.png", "..\\two\\a.png"])
def test_an_image_path_that_leads_to_another_folders_image_is_refused(tmp_path, image):
    for name in ("one/a.png", "two/a.png"):
        photo(tmp_path / "set" / name)
    pointing(tmp_path / "set/one", "a", image)
    with pytest.raises(UserError, match=r"leads to 'two/a\.png', but 'one/a\.png' lies closer"):
        from_labelme(tmp_path)


def test_a_json_may_have_another_name_than_its_image(tmp_path):
    photo(tmp_path / "set/a.png")
    photo(tmp_path / "set/b.png")
    pointing(tmp_path / "set", "a_corrected", "a.png")
    assert from_labelme(tmp_path).images == 1


def test_a_missing_image_path_is_refused_with_the_image_of_the_same_name(tmp_path):
    photo(tmp_path / "set/a.png")
    pointing(tmp_path / "set", "a", "IMG_0001.png")
    why = r"'a\.json': imagePath names 'IMG_0001\.png', which is missing, but 'a\.png' has the name.*--pair name"
    with pytest.raises(UserError, match=why):
        from_labelme(tmp_path)
    assert from_labelme(tmp_path, options=Options(paired_by="name")).images == 1
    (tmp_path / "set/a.png").rename(tmp_path / "set/c.png")
    with pytest.raises(UserError, match=r"'a\.json': its image 'IMG_0001\.png': is missing"):
        from_labelme(tmp_path, "more")


@pytest.mark.parametrize("image", ["x" * 300 + ".png", "/" + "d/" * 3000 + "x" * 5000 + ".png", "é" * 200 + ".png"])
def test_an_image_path_too_long_for_the_disk_is_reported_as_missing(tmp_path, image):
    photo(tmp_path / "set/other.png")
    pointing(tmp_path / "set", "a", image)
    with pytest.raises(UserError, match=r"1 problem.*\n  'a\.json': its image .* is missing in"):
        from_labelme(tmp_path)
