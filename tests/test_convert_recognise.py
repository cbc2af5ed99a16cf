"""tools.convert auto: formats are recognised, and the command that it prints converts the folder."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image

from src.convert.guide.recognise import conversion_hint, describe_formats, recognise
from src.data.source.dataset import read_dataset
from src.errors import UserError
from tests.annotated import SQUARE, coco, convert_here, labelme, photo, read_mask, yolo

POINTS = [[2, 2], [6, 2], [6, 6], [2, 6]]
INSIDE = np.zeros((10, 12), bool)
INSIDE[2:6, 2:6] = True


def save_mask(path, inside=INSIDE, high=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(inside, high, 0).astype(np.uint8)).save(path)


def make_coco(folder):
    coco(folder, [(3, [SQUARE], {})])


def make_labelme(folder):
    photo(folder / "photos/a.png")
    labelme(folder / "photos/a.json", ("cell", "polygon", POINTS, {}), imageData=None)


def make_yolo(folder):
    yolo(folder, "0 " + " ".join(f"{x / 12} {y / 10}" for x, y in POINTS))


def make_voc(folder):
    photo(folder / "images/a.png")
    colours = np.where(INSIDE[..., None], [250, 50, 83], 0).astype(np.uint8)
    (folder / "masks").mkdir()
    Image.fromarray(colours).save(folder / "masks/a.png")
    (folder / "labelmap.txt").write_text("background:0,0,0::\ncat:250,50,83::\n")


def make_label_studio(folder):
    photo(folder / "photos/a.png")
    shares = [[100 * x / 12, 10 * y] for x, y in POINTS]
    result = {"type": "polygonlabels", "value": {"points": shares, "polygonlabels": ["cell"]}}
    task = {"id": 1, "data": {"image": "/data/upload/a.png"}, "annotations": [{"result": [result]}]}
    (folder / "export.json").write_text(json.dumps([task]))


def make_geojson(folder):
    photo(folder / "photos/a.png")
    properties = {"objectType": "annotation", "classification": {"name": "Tumor"}}
    geometry = {"type": "Polygon", "coordinates": [POINTS]}
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    (folder / "out").mkdir()
    (folder / "out/a.geojson").write_text(json.dumps([feature]))


def make_via(folder):
    photo(folder / "photos/a.png")
    shape = {"name": "polygon", "all_points_x": [2, 6, 6, 2], "all_points_y": [2, 2, 6, 6]}
    entry = {"filename": "a.png", "regions": [{"shape_attributes": shape, "region_attributes": {"type": "a"}}]}
    (folder / "via.json").write_text(json.dumps({"a.png12": entry}))


def make_arrays(folder):
    photo(folder / "images/a.png")
    (folder / "masks").mkdir()
    np.save(folder / "masks/a.npy", INSIDE)


def make_objects(folder):
    for name in ("ab", "cd"):
        photo(folder / f"{name}/images/{name}.png")
        save_mask(folder / f"{name}/masks/0{name}.png")
        save_mask(folder / f"{name}/masks/1{name}.png", INSIDE & False)


def make_parts(folder):
    photo(folder / "benign/a (1).png")
    save_mask(folder / "benign/a (1)_mask.png")
    save_mask(folder / "benign/a (1)_mask_1.png")


def make_classes(folder):
    for name in ("a", "b"):
        photo(folder / f"images/{name}.png")
        save_mask(folder / f"masks/{name}_MA.png", INSIDE & False)
        save_mask(folder / f"masks/{name}_HE.png")


MAKERS = {
    "coco": (make_coco, "coco"),
    "labelme": (make_labelme, "labelme"),
    "yolo": (make_yolo, "yolo"),
    "voc": (make_voc, "voc"),
    "label-studio": (make_label_studio, "label-studio"),
    "geojson": (make_geojson, "geojson"),
    "via": (make_via, "via"),
    "arrays": (make_arrays, "arrays"),
    "objects": (make_objects, "masks --each object"),
    "parts": (make_parts, "masks --each part"),
    "classes": (make_classes, "masks --each class"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_the_command_for_a_recognised_format_converts_the_folder(kind, tmp_path):
    make, format_ = MAKERS[kind]
    folder = tmp_path / "my export"
    folder.mkdir()
    make(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (found,) = recognise(folder)
    words = shlex.split(found.commands[0])
    assert words[:3] == ["python", "-m", "tools.convert"] and set(format_.split()) <= set(words)
    convert_here(*words[3:])
    masks = [read_mask(path) for path in (tmp_path / "my export-converted/masks").rglob("*.png")]
    assert masks and all(np.array_equal(mask > 0, INSIDE) for mask in masks)
    assert len(read_dataset(tmp_path / "my export-converted").names) == 2
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_auto_prints_what_it_found_and_writes_nothing(tmp_path, capsys):
    make_parts(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    convert_here("auto", tmp_path)
    words = capsys.readouterr().out
    assert "looks like the format masks of tools.convert: 2 masks for 1 image(s); 'benign/a (1).png' has 2" in words
    assert "--each part" in words and "--each object" in words and sorted(tmp_path.rglob("*")) == before


def test_missing_images_are_named(tmp_path):
    make_coco(tmp_path)
    (tmp_path / "photos/a.png").unlink()
    words = describe_formats(tmp_path)
    assert "--images FOLDER_OF_IMAGES" in words and "no images are there: replace FOLDER_OF_IMAGES" in words


def test_every_file_of_all_annotations_gets_a_command(tmp_path):
    make_coco(tmp_path)
    (tmp_path / "b.json").write_text((tmp_path / "a.json").read_text())
    (found,) = recognise(tmp_path)
    assert [shlex.split(command)[4][-6:] for command in found.commands] == ["a.json", "b.json"]
    assert "give each another --out" in found.note


def test_other_folders_are_not_taken_for_annotations(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.json").write_text('{"version": 1}')
    (tmp_path / "notes/b.json").write_text("{")
    with pytest.raises(UserError, match=r"no format was recognised; there: 2 \.json → .*--help"):
        describe_formats(tmp_path)
    with pytest.raises(UserError, match="name the folder that holds it"):
        describe_formats(tmp_path / "notes/a.json")
    photo(tmp_path / "images/a.png")
    save_mask(tmp_path / "masks/a_mask.png")
    assert recognise(tmp_path) == []
    assert f"python -m tools.check {tmp_path}" in describe_formats(tmp_path) and not conversion_hint(tmp_path)


def check(folder):
    import tools.check

    return tools.check.main(tools.check.arguments().parse_args([str(folder), "--out", str(folder.parent / "check")]))


@pytest.mark.parametrize("kind", ["coco", "labelme", "label-studio", "objects", "parts", "classes", "arrays"])
def test_the_check_of_such_a_folder_shows_the_command(kind, tmp_path, capsys):
    folder = tmp_path / "set"
    folder.mkdir()
    MAKERS[kind][0](folder)
    with pytest.raises(UserError) as error:
        check(folder)
    assert recognise(folder)[0].commands[0] in str(error.value)


def test_the_check_of_a_data_set_shows_no_command(tmp_path):
    make_classes(tmp_path)
    (tmp_path / "dataset.yaml").write_text("overlap: true\n")
    assert recognise(tmp_path) and not conversion_hint(tmp_path) and not conversion_hint(tmp_path / "missing")


def test_each_annotation_file_gets_the_images_beside_it_and_archives_must_be_unpacked(tmp_path):
    for name in ("train", "valid"):
        (tmp_path / "set" / name).mkdir(parents=True)
        make_coco(tmp_path / "set" / name)
    (found,) = recognise(tmp_path / "set")
    assert ["train/photos" in found.commands[0], "valid/photos" in found.commands[1]] == [True, True]
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/a.zip").touch()
    with pytest.raises(UserError, match="unpack the archives first"):
        describe_formats(tmp_path / "packed")
