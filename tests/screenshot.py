"""Write the picture of the report page that README.md shows: two parts of the page, one below the other.

  python -m tests.screenshot plots/report.html docs/report.png

It needs Chromium, as tests/test_browser.py does (Debian: apt-get install chromium).
"""

import argparse
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser import CHROMIUM, NAMES, opened

WIDTH = 1280  # pixels of the window
PARTS = {"body": 475, "#gallery": 815}  # element → pixels from its upper edge: verdict and scores, first test images
SHRUNK = 0.6  # of the window's size
GAP = 30  # white pixels between the parts
COLOURS = 256  # of the palette: the file stays below 150 kB
LAST_CHART = "[data-chart=sizes][data-drawn]"


def screenshot(path: Path, out: Path) -> None:
    """Photograph parts of a report page, and write them as one small PNG.

    Args:
        path: The page, plots/report.html.
        out: The PNG file.
    """
    with opened(path.resolve(), WIDTH) as (page, problems):
        page.wait_for_selector(LAST_CHART)
        page.select_option("#sort", "name")
        page.select_option("#layer", label="prediction")
        parts = [_part(page, selector, height) for selector, height in PARTS.items()]
    if problems:
        sys.exit(f"{path}: {problems}")
    whole = Image.new("RGB", (WIDTH, sum(part.height + GAP for part in parts) - GAP), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height + GAP
    small = whole.resize((round(WIDTH * SHRUNK), round(whole.height * SHRUNK)), Image.Resampling.LANCZOS)
    out.parent.mkdir(parents=True, exist_ok=True)
    small.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(out, optimize=True)


def _part(page: Page, selector: str, height: int) -> Image.Image:
    box = page.locator(selector).bounding_box()
    assert box is not None
    clip = {"x": 0, "y": box["y"], "width": WIDTH, "height": height}
    return Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        prog="python -m tests.screenshot", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("page", type=Path, help="the report page, such as plots/report.html")
    arguments.add_argument("out", type=Path, help="where the PNG is written")
    given = arguments.parse_args()
    if CHROMIUM is None:
        sys.exit(f"screenshot: none of {', '.join(NAMES)} is installed")
    screenshot(given.page, given.out)
