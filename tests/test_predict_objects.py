"""tools.predict with --objects and --polygons: all files, after an interruption, in parts, and with other options."""

import argparse
import json

import numpy as np
import pytest
import tifffile
from skimage.measure import label

from src.data.predictions.resume_log import ResumeLog
from src.files import read_csv
from tests.test_predict import model  # noqa: F401
from tools import predict


@pytest.fixture(scope="module")
def predicted(model, tmp_path_factory):  # noqa: F811
    """Three images that were predicted with objects and polygons: their folder and the folder of results."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("objects")
    (folder / "photos/sub").mkdir(parents=True)
    (folder / "photos/dataset.yaml").write_text("spacing: 0.5\nunit: mm\n")
    for name in ("a", "b", "sub/c"):
        tifffile.imwrite(folder / f"photos/{name}.tif", rng.integers(0, 256, (50, 70, 3), dtype=np.uint8))
    run(model, folder, "out", "--objects", "--polygons", "coco")
    return folder, folder / "out"


def run(model, folder, out, *options):  # noqa: F811
    command = [str(folder / "photos"), "--model", str(model), "--out", str(folder / out), *options]
    return predict.main(predict.arguments().parse_args(command))


def test_every_component_of_the_masks_has_a_row_a_number_and_a_polygon(predicted):
    _, out = predicted
    rows, content = read_csv(out / "objects.csv"), json.loads((out / "polygons.json").read_text())
    assert [one["file_name"] for one in content["images"]] == ["a.tif", "b.tif", "sub/c.tif"]
    assert len(content["annotations"]) == len(rows)
    for name in ("a", "b", "sub/c"):
        mask = tifffile.imread(out / f"masks/{name}.tif")
        numbers, own = (
            tifffile.imread(out / f"labels/{name}.tif"),
            [row for row in rows if row["image"] == f"{name}.tif"],
        )
        assert len(own) == label(mask, connectivity=2).max() == numbers.max()
        np.testing.assert_array_equal(numbers > 0, mask > 0)
        assert [int(row["area"]) for row in own] == np.bincount(numbers.ravel())[1:].tolist()
    assert {row["unit"] for row in rows} == {"mm"} and {row["class"] for row in rows} == {"cell"}
    assert all(float(row["area_in_unit"]) == float(row["area"]) / 4 for row in rows)
    assert all(0 < float(row["mean_probability"]) <= 1 for row in rows)


def test_an_interrupted_run_continues_and_joins_the_files_of_all_images(predicted, model, capsys):  # noqa: F811
    folder, out = predicted
    before = [(out / name).read_bytes() for name in ("objects.csv", "polygons.json")]
    kept = (out / "objects/a.csv").stat().st_mtime_ns
    lines = (out / "finished.jsonl").read_text().splitlines()
    (out / "finished.jsonl").write_text("".join(f"{line}\n" for line in lines[:2]))
    (out / "objects/b.csv").unlink()
    (out / "objects.csv").unlink()
    run(model, folder, "out", "--objects", "--polygons", "coco")
    assert "1 of 3 images are predicted already" in capsys.readouterr().out
    assert [(out / name).read_bytes() for name in ("objects.csv", "polygons.json")] == before
    assert (out / "objects/a.csv").stat().st_mtime_ns == kept


def test_two_parts_have_a_table_each_and_together_the_rows_of_one_run(predicted, model):  # noqa: F811
    folder, out = predicted
    for part in ("1/2", "2/2"):
        run(model, folder, "parts", "--objects", "--shard", part)
    rows = [row for part in (1, 2) for row in read_csv(folder / f"parts/objects-{part}-of-2.csv")]
    assert sorted(rows, key=lambda row: row["image"]) == read_csv(out / "objects.csv")


def test_objects_are_written_again_with_other_options(predicted, model):  # noqa: F811
    folder, _ = predicted
    run(model, folder, "again", "--polygons", "geojson")
    exact = json.loads((folder / "again/polygons/a.geojson").read_text())
    run(model, folder, "again", "--polygons", "geojson", "--simplify", "2", "--split-touching")
    simple = json.loads((folder / "again/polygons/a.geojson").read_text())
    assert len(json.dumps(simple)) < len(json.dumps(exact)) and len(simple["features"]) >= len(exact["features"])
    assert not (folder / "again/objects.csv").exists()


def test_folders_of_labels_that_nothing_wrote_are_not_overwritten(tmp_path):
    (tmp_path / "polygons").mkdir()
    with pytest.raises(Exception, match="did not write"):
        ResumeLog(tmp_path, "model")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--simplify", "1"], "add --polygons"),
        (["--split-touching"], "add --objects or --polygons"),
        (["--simplify", "1", "--polygons", "coco"], ""),
        (["--split-touching", "--objects"], ""),
    ],
)
def test_options_that_change_nothing_are_refused(options, why):
    given = predict.arguments().parse_args(["a.png", "--out", "out", *options])
    assert predict.problem(given).endswith(why) and bool(predict.problem(given)) == bool(why)


@pytest.mark.parametrize("distance", ["0", "-1", "nan", "1e9", "x"])
def test_a_distance_that_is_none_is_refused(distance):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a distance in pixels"):
        predict.pixels(distance)
