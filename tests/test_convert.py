"""The command tools.convert: output, help, errors and options."""

import pytest

from src.data.source.dataset import read_dataset
from tests.annotated import SQUARE, coco, labelme, photo, read_mask, run, yolo
from tools.convert import FORMATS, arguments


def test_the_command_prints_a_summary_and_the_next_step(tmp_path):
    path = coco(tmp_path, [(3, [SQUARE], {})])
    found = run("coco", path, "--images", tmp_path / "photos", "--out", tmp_path / "out")
    assert found.returncode == 0 and "1 images with 1 shapes" in found.stdout
    assert found.stdout.endswith(f"python -m tools.check {tmp_path / 'out'}\n") and not found.stderr


@pytest.mark.parametrize("name", FORMATS)
def test_the_help_of_a_format_fits_on_a_screen(name, capsys):
    with pytest.raises(SystemExit) as end:
        arguments().parse_args([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert not end.value.code and len(lines) <= 28 and max(map(len, lines)) <= 120


def test_the_command_fails_with_one_message(tmp_path):
    path = coco(tmp_path, [(4, [SQUARE], {})])
    found = run("coco", path, "--images", tmp_path / "photos", "--out", tmp_path / "out")
    assert found.returncode == 1 and found.stderr.startswith("convert: 1 problem(s)") and not found.stdout
    assert "Traceback" not in found.stderr and not (tmp_path / "out").exists()


def test_the_options_of_the_command_reach_the_library(tmp_path):
    yolo(tmp_path / "set", "1 .5 .5 1 1\n0 -1 0 1 0 1 1")
    found = run("yolo", "--names", "a,b", "--boxes", "--clip", tmp_path / "set", "--out", tmp_path / "out")
    assert found.returncode == 0 and "1 shape(s) reach out" in found.stdout
    assert read_dataset(tmp_path / "out").names == ["background", "a", "b"]
    photo(tmp_path / "photos/a.png", orientation=3)
    photo(tmp_path / "photos/b.png")
    labelme(tmp_path / "photos/a.json", ("cell", "rectangle", [[1, 1], [3, 3]], {}))
    found = run(
        "labelme", tmp_path / "photos", "--keep-unlabelled", "--coordinates", "stored", "--out", tmp_path / "lm"
    )
    assert found.returncode == 0 and read_mask(tmp_path / "lm/masks/a.png")[7:9, 9:11].all()
    crowd = (3, {"size": [10, 12], "counts": [0, 120]}, {"iscrowd": 1})
    path = coco(tmp_path, [crowd], images=[{"id": 7, "file_name": "b.png"}])
    found = run("coco", path, "--images", tmp_path / "photos", "--fill-crowds", "--out", tmp_path / "coco")
    assert found.returncode == 0 and read_mask(tmp_path / "coco/masks/b.png").min() == 1
