"""tools.score with ready masks: values that can be matched, and masks that are refused."""

import numpy as np
import pytest

from src.errors import UserError
from src.files import write_yaml
from tests.conftest import changed_params
from tests.ready_masks import THIRD, row, scored, write_halves, write_masks


@pytest.fixture
def folder(tmp_path):
    return write_halves(tmp_path / "set")


def test_all_problems_of_predictions_are_listed(folder, tmp_path):
    (folder / "other/p0-0.png").unlink()
    (folder / "other/p0-1.png").unlink()
    write_masks(folder / "other", {"p1-2": THIRD[:4], "spare": THIRD, "p1-3": row(0, 1, 255, 7)[:, [0, 1, 2, 3] * 2]})
    with pytest.raises(UserError) as error:
        scored(folder, tmp_path / "work", **{"data.on_error": "skip"})
    lines = str(error.value).splitlines()
    assert lines[0].startswith("4 problem(s) in the predictions, ") and len(lines) == 5
    assert [line.partition(" → ")[0] for line in lines[1:]] == [
        "  'p0-0': has no prediction",
        "  'p0-1': has no prediction",
        "  'p1-2': other/p1-2.png is 8 × 4 pixels, the image 8 × 8",
        "  'other/p1-3.png': the mask holds 1, 7, known are 0, 255",
    ]
    assert "on_error" not in str(error.value)
    (folder / "other/p1-2.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"'p1-2': other/p1-2.png cannot be"):
        scored(folder, tmp_path / "again")


@pytest.mark.parametrize(
    ("classes", "values", "works"),
    [
        (None, (0, 1), True),
        ({0: "background", 255: "vessel"}, (0, 1), True),
        ({255: "vessel", 0: "background"}, (3, 4), True),
        ({0: "vessel", 255: "background"}, (0, 255), True),
        ({0: "vessel", 255: "background"}, (0, 1), False),  # the order does not decide which is which
        (None, (0, 1, 2), False),
        (None, (1,), False),
    ],
)
def test_values_that_differ_from_the_data_set_are_matched_or_refused(folder, tmp_path, classes, values, works):
    if classes:
        write_yaml(folder / "dataset.yaml", {"classes": classes, "background": "background"})
    dense = row(*values * 8)[:, :8]
    translated = np.where(THIRD, values[-1], values[0]) if len(values) == 2 else dense
    for number in range(4):
        write_masks(folder / "other", {f"p{number // 2}-{number}": translated})
    if not works:
        with pytest.raises(UserError, match=r"(?s)4 problem.*known are 0, 255"):
            scored(folder, tmp_path / "work")
        return
    results, labelled, ready, _ = scored(folder, tmp_path / "work")
    by_name = dict(zip(labelled.store.dataset.names, results.values["dice"][0], strict=True))
    lower, higher = sorted(labelled.store.dataset.classes)
    names = [labelled.store.dataset.classes[value] for value in (lower, higher)]
    assert [by_name[name] for name in names] == pytest.approx([0, 0.4])
    said = "".join(ready.notes())
    assert all(
        (f"{value} as {name}" in said) == (values != (0, 255)) for value, name in zip(values, names, strict=True)
    )


def test_a_mask_that_cannot_be_read_is_refused_even_if_values_can_be_matched(folder, tmp_path):
    for number in range(4):
        write_masks(folder / "other", {f"p{number // 2}-{number}": THIRD // 255})
    write_masks(folder / "other", {"p1-3": np.stack([THIRD, THIRD // 2, THIRD], axis=-1)})
    with pytest.raises(
        UserError, match=r"(?s)'other/p1-3.png': the mask is in colour.*'other/p0-0.png': the mask holds 1"
    ):
        scored(folder, tmp_path / "work")


def test_a_threshold_that_leaves_no_foreground_is_refused(folder, tmp_path):
    settings = {"data.masks": changed_params().data.masks.model_dump() | {"threshold": 128}}
    results, *_ = scored(folder, tmp_path / "work", **settings)
    np.testing.assert_allclose(results.values["dice"], [[0, 0.4]] * 4)
    for number in range(4):
        write_masks(folder / "other", {f"p{number // 2}-{number}": THIRD // 255})
    with pytest.raises(UserError, match=r"no prediction holds a value from data.masks.threshold on, 128"):
        scored(folder, tmp_path / "again", **settings)
