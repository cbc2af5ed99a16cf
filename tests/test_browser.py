"""The report page and the page of `dvc plots` in a browser: charts, gallery and layers work without a network."""

import re
from pathlib import Path

import pytest

from src.report.page.document import report_page
from src.report.page.plots_page import plots_page
from tests.browser import needs_browser, opened, texts
from tests.closure import ROOT
from tests.dvc_project import dvc_project
from tests.made_report import CELL, HOSTILE, made_sources

IDS = ".card h3"


@pytest.fixture(scope="module")
def page_at(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "report.html").write_text(report_page(made_sources(folder, images=30), 2), encoding="utf-8")
    return folder / "report.html"


@needs_browser
def test_all_charts_are_drawn_without_requests_or_console_messages(page_at):
    with opened(page_at) as (page, problems):
        page.wait_for_selector("[data-chart=sizes][data-drawn]")  # the last
        assert len(page.query_selector_all("[data-chart]")) == len(page.query_selector_all("[data-drawn] svg")) == 9
        marks = page.eval_on_selector_all(
            "[data-chart] svg", "all => all.map(one => one.querySelectorAll('path').length)"
        )
    assert min(marks) > 5 and problems == []


def scores_in(page) -> list[float]:
    """The scores on the cards, in their order."""
    return [float(text) for text in re.findall(r"Dice (?:of .*?)?(\d\.\d+)", " ".join(texts(page, ".card p")))]


@needs_browser
def test_the_gallery_sorts_and_filters(page_at):
    with opened(page_at) as (page, problems):
        worst = scores_in(page)
        assert worst == sorted(worst) and len(worst) == 12
        page.select_option("#sort", "best")
        best = scores_in(page)
        assert best == sorted(best, reverse=True) and min(best) >= max(worst)
        page.select_option("#sort", "name")
        assert texts(page, IDS)[1:3] == ["image 0001", "image 0002"]
        page.click("#more")
        assert len(texts(page, IDS)) == 24 and texts(page, "#count") == ["30 of 30 images; 24 shown"]
        page.fill("#name", "0017")
        assert texts(page, IDS) == ["image 0017"]
        page.fill("#name", "")
        page.fill("#low", "0.6")
        assert all(score >= 0.6 for score in scores_in(page)) and texts(page, "#count") != ["30 of 30 images; 12 shown"]
        page.select_option("#class", "0")
        assert f"Dice of {CELL}" in texts(page, ".card p")[0]
    assert problems == []


@needs_browser
def test_a_hostile_name_is_shown_as_text(page_at):
    with opened(page_at) as (page, problems):
        assert texts(page, IDS)[0] == HOSTILE  # the worst
        page.wait_for_selector("[data-chart=sizes][data-drawn]")  # the last
        page.hover("[data-chart=sizes] svg .mark-symbol.role-mark path", force=True)  # of the first image
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert "x onerror=alert(1)" in page.inner_text("#vg-tooltip-element")
        assert page.query_selector_all("img[src=x]") == []
    assert problems == []


@needs_browser
def test_slider_and_keys_switch_the_layers_of_pictures(page_at):
    with opened(page_at) as (page, problems):
        assert texts(page, ".card output")[0] == f"errors: {CELL}"
        page.focus(".card input")
        page.keyboard.press("ArrowLeft")
        assert texts(page, ".card output")[:2] == ["prediction", f"errors: {CELL}"]
        page.keyboard.press("2")
        assert set(texts(page, ".card output")) == {"truth"}
        loaded = "[...document.querySelectorAll('.stack img')].map(one => one.decode().then(() => one.naturalWidth))"
        assert set(page.evaluate(f"Promise.all({loaded})")) == {32}
        assert page.get_attribute(".stack", "aria-label") == f"{HOSTILE}: truth"
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert len(page.query_selector_all(".card:first-child .strip .stack")) == 4
    assert problems == []


@needs_browser
def test_on_a_phone_the_page_does_not_scroll_sideways(page_at):
    with opened(page_at, width=360) as (page, problems):
        page.wait_for_selector("[data-chart=sizes][data-drawn]")  # the last
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert problems == []


@needs_browser
def test_only_the_first_of_a_thousand_images_are_drawn(tmp_path):
    (tmp_path / "report.html").write_text(
        report_page(made_sources(tmp_path, images=1000, side=128), 4), encoding="utf-8"
    )
    with opened(tmp_path / "report.html") as (page, problems):
        assert len(texts(page, IDS)) == 12 and texts(page, "#count") == ["1000 of 1000 images; 12 shown"]
        assert len(page.query_selector_all("img")) == 24 and len(page.query_selector_all("*")) < 3000
    assert problems == []


STAGE = """
import pathlib, yaml
from PIL import Image
rate = yaml.safe_load(open("params.yaml"))["rate"]
for name in ("data/evaluation", "data/prepared", "plots/overlays"):
    pathlib.Path(name).mkdir(parents=True, exist_ok=True)
rows = [f"{epoch},{rate * epoch},{rate}" for epoch in (1, 2, 3)]
pathlib.Path("plots/history.csv").write_text("\\n".join(["epoch,loss,val_loss", *rows]))
Image.new("RGB", (60, 40), (rate * 50, 0, 0)).save("plots/overlays/00.png")
"""
PLOTS = """
plots:
  - Loss: {x: epoch, y: {plots/history.csv: [loss, val_loss]}}
  - plots/overlays
"""


@needs_browser
def test_dvc_plots_diff_shows_curves_and_pictures_of_two_runs_offline(tmp_path):
    call = dvc_project(tmp_path, STAGE, "rate: 1")
    text = (
        (tmp_path / "dvc.yaml")
        .read_text()
        .replace("data/prepared]", "data/prepared, plots/history.csv, plots/overlays]")
    )
    (tmp_path / "dvc.yaml").write_text(text + PLOTS)
    (tmp_path / ".gitignore").write_text("/data\n/plots\n")
    (tmp_path / ".dvc/plots").mkdir(exist_ok=True)
    for name in ("config", "plots/page.html"):
        (tmp_path / ".dvc" / name).write_text((ROOT / ".dvc" / name).read_text(encoding="utf-8"), encoding="utf-8")
    call("dvc", "repro", "-q")
    call("git", "add", "-A")
    call("git", "commit", "-q", "-m", "one")
    (tmp_path / "params.yaml").write_text("rate: 3")
    call("dvc", "repro", "-q")
    call("dvc", "plots", "diff", "HEAD", "workspace", "-o", "page")
    with opened(tmp_path / "page/index.html") as (page, problems):
        page.wait_for_selector("main svg")
        words = texts(page, "main svg")[0]
        assert "HEAD" in words and "workspace" in words and "val_loss" in words
        assert len(page.query_selector_all("main svg .mark-line path")) >= 4  # two runs, training and validation
        page.evaluate("Promise.all([...document.images].map(one => one.decode()))")
        places = page.eval_on_selector_all(
            "img", "all => all.map(one => [one.naturalWidth, one.offsetTop, one.offsetLeft])"
        )
        assert [width for width, *_ in places] == [60, 60]
        assert places[0][1] == places[1][1] and places[0][2] != places[1][2]
    assert problems == []


def test_the_committed_plots_page_equals_the_output_of_its_tool():
    assert (ROOT / ".dvc/plots/page.html").read_text(encoding="utf-8") == plots_page()
    assert not re.search(
        r"""(src|href)=["'](?!data:)""", re.sub("<script>.*?</script>", "", plots_page(), flags=re.DOTALL)
    )
