"""Opens pages in the installed Chromium, without a window. Tests of pages are skipped where there is none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is installed")


@contextmanager
def opened(path: Path, width: int = 1280, height: int = 900) -> Iterator[tuple[Page, list[str]]]:
    """Open a file; yields the page and its problems: console messages, errors, dialogs and requests to a network."""
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)  # milliseconds: the machine may be busy
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: _note(request.url, problems))
        page.goto(path.as_uri())
        yield page, problems
        browser.close()


def _note(url: str, problems: list[str]) -> None:
    if not url.startswith(("file:", "data:")):
        problems.append(f"request: {url}")


def texts(page: Page, selector: str) -> list[Any]:
    return [element.text_content() for element in page.query_selector_all(selector)]
