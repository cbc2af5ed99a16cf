"""Helpers for tests of bad input: prepare a data set as the stage does, and write pairs to damage."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from src.data.checks.dataset_checks import CheckResult
from src.data.checks.findings import stop_on_errors, summary, write_findings
from src.data.store.prepare import prepare
from src.report.text.check_report import report_findings
from tests.conftest import data_section, write_pair
from tests.corpus import saved

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
MASK = np.eye(64, dtype=np.uint8)


def run(source: Path, folder: Path, sheet: bool = True, **changes):
    """Prepare as the stage does, with table and contact sheet. Without the sheet it is faster."""

    def shown(result: CheckResult) -> None:
        if sheet:
            return report_findings(result, folder / "checks.csv", folder / "sheet.png")
        print("\n".join(summary(result)))
        write_findings(folder / "checks.csv", result)
        return stop_on_errors(result, folder / "checks.csv")

    return prepare(data_section(source, **changes), folder / "prepared", shown)


def state(source):
    """Every path below the folder → its time of change, mode and content."""
    return {
        path: (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and path.stat().st_size < 2**20 else b"",
        )
        for path in source.rglob("*")
    }


def put(source, stem, image=None, mask=None, image_suffix=".png", mask_suffix=".png"):
    """Write a good pair, or one with given content of its files."""
    write_pair(source, stem, NOISE, MASK)
    for kind, content, suffix in (("images", image, image_suffix), ("masks", mask, mask_suffix)):
        if content is not None:
            (source / kind / f"{stem}.png").unlink()
            (source / kind / f"{stem}{suffix}").write_bytes(content)


def whole_png():
    return cv2.imencode(".png", NOISE)[1].tobytes()


def jpeg():
    return saved(Image.fromarray(NOISE), "JPEG")
