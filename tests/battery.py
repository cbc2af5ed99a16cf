"""What the tests of bad input share: a run as the stage does it, and pairs to spoil."""

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
    """As the stage does it: the table and the contact sheet beside the store; quicker without the sheet."""

    def shown(gate: CheckResult) -> None:
        if sheet:
            return report_findings(gate, folder / "checks.csv", folder / "sheet.png")
        print("\n".join(summary(gate)))
        write_findings(folder / "checks.csv", gate)
        return stop_on_errors(gate, folder / "checks.csv")

    return prepare(data_section(source, **changes), folder / "prepared", shown)


def state(source):
    """Every entry below the folder: its bytes, time, size and kind."""
    return {
        path: (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and path.stat().st_size < 2**20 else b"",
        )
        for path in source.rglob("*")
    }


def put(source, stem, image=None, mask=None, image_suffix=".png", mask_suffix=".png"):
    """A good pair, or one with the content of its files given."""
    write_pair(source, stem, NOISE, MASK)
    for kind, content, suffix in (("images", image, image_suffix), ("masks", mask, mask_suffix)):
        if content is not None:
            (source / kind / f"{stem}.png").unlink()
            (source / kind / f"{stem}{suffix}").write_bytes(content)


def whole_png():
    return cv2.imencode(".png", NOISE)[1].tobytes()


def jpeg():
    return saved(Image.fromarray(NOISE), "JPEG")
