"""Finished images of an output folder: results of one image are never replaced by those of another."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.predictions.inputs import Input, find_inputs, shard
from src.data.predictions.resume_log import FileState, ResumeLog
from src.errors import UserError
from tests.test_predict import digests, model, tool  # noqa: F401  (model is a fixture)


@pytest.fixture
def folders(tmp_path):
    """Two folders with an image of the same name, and others."""
    rng = np.random.default_rng(0)
    for name in ("A/x.png", "A/y.png", "B/x.png", "B/z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def finish(out, *given, part=""):
    """Write results as if these inputs had been predicted. Return the names that were not finished before."""
    finished = ResumeLog(out, "model", part)
    inputs, _ = find_inputs(list(given), out)
    finished.refuse_others(inputs)
    waiting = [one for one in inputs if not finished.is_finished(one, ["masks"])]
    for one in waiting:
        result = out / "masks" / f"{one.name}.png"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_bytes(one.path.read_bytes())
        finished.add(one, FileState.of(one.path), ["masks"], [result])
    return [one.name.as_posix() for one in waiting]


def test_replacing_the_result_of_another_image_is_refused_and_both_are_named(folders):
    out = folders / "out"
    assert finish(out, folders / "A") == ["x", "y"]
    before = digests(out)
    with pytest.raises(UserError) as error:
        finish(out, folders / "B")
    assert f"{folders}/B/x.png: would replace the result of {folders}/A/x.png, 'x'" in str(error.value)
    assert "--out" in str(error.value) and len(str(error.value).splitlines()) == 2
    assert digests(out) == before
    assert finish(out, folders / "B/z.png") == ["z"]  # its name is not used yet


def test_an_image_that_has_changed_is_predicted_again(folders):
    out = folders / "out"
    finish(out, folders / "A")
    shutil.copy(folders / "B/z.png", folders / "A/x.png")
    assert finish(out, folders / "A/x.png") == ["x"]
    assert (out / "masks/x.png").read_bytes() == (folders / "B/z.png").read_bytes()


def test_names_that_differ_in_case_only_are_refused(folders):
    out = folders / "out"
    finish(out, folders / "A/x.png")
    for name in ("X.png", "x.tif"):
        shutil.copy(folders / "B/z.png", folders / "B" / name)
        with pytest.raises(UserError, match=rf"B/{name}: would replace the result of .*A/x.png"):
            finish(out, folders / "B" / name)


def test_a_shard_refuses_to_replace_results_of_any_other_shard(folders):
    out = folders / "out"
    finish(out, folders / "A", part="-1-of-2")
    for part in ("", "-1-of-2", "-2-of-2"):
        with pytest.raises(UserError, match=r"B/x.png: would replace the result of .*A/x.png"):
            finish(out, folders / "B", part=part)


def test_the_same_file_by_another_path_is_the_same_image(folders):
    out = folders / "out"
    finish(out, folders / "A")
    (folders / "link").symlink_to(folders / "A")
    (folders / "C").mkdir()
    (folders / "C/y.png").hardlink_to(folders / "A/y.png")
    assert finish(out, folders / "link") == finish(out, folders / "C") == []


def test_moved_images_are_still_finished(folders):
    out = folders / "out"
    finish(out, folders / "A")
    (folders / "A").rename(folders / "moved")
    assert finish(out, folders / "moved") == []
    with pytest.raises(UserError, match=r"B/x.png: would replace"):
        finish(out, folders / "B")


def test_log_lines_without_a_path_belong_to_the_unchanged_image(folders):
    """An earlier version did not record the paths."""
    out = folders / "out"
    finish(out, folders / "A")
    lines = [json.loads(line) for line in (out / "finished.jsonl").read_text().splitlines()]
    assert [line.pop("source") for line in lines] == [str(folders / "A/x.png"), str(folders / "A/y.png")]
    (out / "finished.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert finish(out, folders / "A") == []
    with pytest.raises(UserError, match=r"B/x.png: would replace a result of an unknown image, .*, 'x'"):
        finish(out, folders / "B")
    shutil.copy(folders / "B/z.png", folders / "A/x.png")  # the log does not show that this is the predicted image
    with pytest.raises(UserError, match=r"A/x.png: would replace a result of an unknown image"):
        finish(out, folders / "A")


def test_a_path_that_cannot_be_followed_is_another_image(folders):
    out = folders / "out"
    finish(out, folders / "A")
    for source in ("/A\0/x.png", "n" * 5000):
        line = json.loads((out / "finished.jsonl").read_text().splitlines()[0]) | {"source": source}
        (out / "finished.jsonl").write_text(json.dumps(line) + "\n")
        with pytest.raises(UserError, match=r"A/x.png: would replace the result of "):
            finish(out, folders / "A")


def test_two_inputs_with_the_same_result_name_are_both_left_out_and_named(folders):
    shutil.copy(folders / "A/x.png", folders / "A/x.bmp")
    inputs, findings = find_inputs([folders / "A"], folders / "out")
    assert [one.name for one in inputs] == [Path("y")]
    said = {Path(finding.file).name: finding.what for finding in findings}
    assert said == {
        "x.bmp": "its result would have the same name as that of x.png",
        "x.png": "its result would have the same name as that of x.bmp",
    }
    inputs, findings = find_inputs([folders / "A/y.png", folders / "B"], folders / "out")
    assert [one.name.as_posix() for one in inputs] == ["A/y", "B/x", "B/z"] and not findings


def test_shards_of_one_call_do_not_refuse_each_other(folders):
    inputs = [Input(folders / "A/x.png", Path("x")), Input(folders / "A/y.png", Path("y"))]
    for part in (1, 2):
        finished = ResumeLog(folders, "model", f"-{part}-of-2")
        finished.refuse_others(inputs)
        for one in shard(inputs, part, 2):
            finished.add(one, FileState.of(one.path), ["masks"], [one.path])


def test_tool_predicts_nothing_if_one_result_would_be_replaced(model, folders):  # noqa: F811
    out = folders / "out"
    assert tool(folders / "A/x.png", "--model", model, "--out", out).returncode == 0
    before = digests(out)
    for more in ([], ["--shard", "1/2"], ["--shard", "2/2"]):
        refused = tool(folders / "B", "--model", model, "--out", out, *more)
        assert refused.returncode == 1 and "Traceback" not in refused.stderr
        assert f"B/x.png: would replace the result of {folders}/A/x.png" in refused.stderr
    assert digests(out) == before  # B/z was not predicted either
    both = tool(folders / "A/x.png", folders / "B/x.png", "--model", model, "--out", out)
    assert both.returncode == 0 and {"masks/A/x.png", "masks/B/x.png", "masks/x.png"} == digests(out).keys()
