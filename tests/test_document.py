"""The report page without a browser: one small file, equal for equal runs, in which names from a data set never act."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from src.data.classes.label_format import LabelFormat
from src.data.drawing.drawing import rgb
from src.data.source.dataset import IGNORE, PALETTE, Dataset
from src.evaluation.scoring.baseline_gain import gain_over_colour
from src.report.figures.pictures import errors, picture
from src.report.figures.style import FALSE_ALARM, HIT, MISS, TRAINING, VALIDATION
from src.report.page import charts, tables
from src.report.page.document import report_page
from src.report.page.vega import inline, policy_hash
from tests.made_report import CELL, HOSTILE, made_sources

VOID = {"meta", "link", "img", "input", "br"}


class Reader(HTMLParser):
    """The elements, attributes and texts of a page. Elements that are not closed in order are an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def data(self, id_: str):
        """The JSON in the script of this id."""
        scripts = [attributes for tag, attributes in self.elements if tag == "script"]
        place = next(place for place, attributes in enumerate(scripts) if attributes.get("id") == id_)
        return json.loads(self.texts["script"][place])


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return made_sources(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(sources):
    return report_page(sources, 2)


def test_text_from_a_data_set_is_escaped_everywhere(page):
    read = Reader(page)
    assert {tag for tag, _ in read.elements} & {"img"} == set()  # the pictures are put in by the script
    texts = read.texts["th"] + read.texts["td"] + read.texts["option"]
    assert HOSTILE in texts and CELL in texts and f"because {HOSTILE}" in texts
    assert HOSTILE in [row["id"] for row in read.data("images")["rows"]]
    assert "49" not in "".join(read.texts["td"])  # {{ 7 * 7 }} is no template


def test_the_policy_allows_only_the_pages_own_scripts_and_no_requests(page):
    read = Reader(page)
    policy = next(found["content"] for tag, found in read.elements if found.get("http-equiv"))
    scripts = [
        text
        for text, (tag, found) in zip(
            read.texts["script"], [one for one in read.elements if one[0] == "script"], strict=True
        )
        if "type" not in found
    ]
    assert policy.startswith("default-src 'none';") and "unsafe-eval" not in policy
    assert f"script-src {' '.join(map(policy_hash, scripts))};" in policy
    links = [found[key] for _, found in read.elements for key in ("src", "href") if found.get(key)]
    assert all(link.startswith(("data:", "#")) for link in links)


def test_every_link_control_and_picture_is_labelled(page):
    read = Reader(page)
    ids = {found["id"] for _, found in read.elements if "id" in found}
    assert {found["href"][1:] for tag, found in read.elements if tag == "a"} <= ids
    assert all(found.get("aria-label") for _, found in read.elements if found.get("role") in ("img", "region"))
    labels = re.findall(r"<label.*?</label>", page, re.DOTALL)
    assert sum(bool(re.search("<(input|select) ", label)) for label in labels) == len(
        [tag for tag, _ in read.elements if tag in ("input", "select")]
    )
    assert '<html lang="en">' in page


def test_equal_runs_give_equal_pages(sources, page, tmp_path):
    assert report_page(sources, 2) == page
    assert report_page(made_sources(tmp_path), 2) == page


def test_a_page_of_a_thousand_images_stays_below_15_megabytes(tmp_path):
    many = made_sources(tmp_path, images=1000, side=128)
    made = report_page(many, 33)
    data = Reader(made).data("images")
    assert len(made.encode()) < 15e6 and len(data["rows"]) == 1000 and 99 <= len(data["pictures"]) < 1000
    assert data["rows"][0]["dice"] <= data["rows"][1]["dice"] <= data["rows"][-1]["dice"]
    pictured = [row["id"] in data["pictures"] for row in data["rows"]]
    assert all(pictured[:33]) and all(pictured[-33:]) and "of them with a picture" in made


def test_pictures_stop_at_their_limit_after_the_first(sources):
    assert len(Reader(report_page(sources, 2, most=1)).data("images")["pictures"]) == 1


def test_errors_mark_true_positives_false_negatives_and_false_positives():
    truth, found = np.array([[1, 1, 0, 0, IGNORE]], np.uint8), np.array([[1, 0, 1, 0, 1]], np.uint8)
    np.testing.assert_array_equal(errors(truth, found, 1, LabelFormat(2)), [[1, 2, 3, 0, 0]])


def test_layers_have_the_colours_of_the_classes_and_a_transparent_background():
    dataset = Dataset(classes={0: "ground", 1: "cell"}, colors={"cell": "#D55E00"})
    truth = np.array([[0, 1, IGNORE]], np.uint8)
    made = picture(np.zeros((1, 3, 1), np.uint8), truth, truth, ["cell"], dataset)
    assert [layer["name"] for layer in made["layers"]] == ["truth", "prediction", "errors: cell"]
    assert _rgba(made["layers"][0]["src"]) == [(0, 0, 0, 0), (0xD5, 0x5E, 0, 255), (255, 255, 255, 255)]
    assert [alpha for *_, alpha in _rgba(made["layers"][2]["src"])] == [0, 255, 0]


def _rgba(uri: str) -> list[tuple[int, ...]]:
    drawn = np.array(Image.open(BytesIO(b64decode(uri.partition(",")[2]))).convert("RGBA"))
    return [tuple(map(int, pixel)) for pixel in drawn[0]]


def test_large_images_are_drawn_smaller():
    large = np.zeros((1300, 700), np.uint8)
    made = picture(large[..., None], large, large, [], Dataset(classes={0: "a", 1: "b"}))
    assert (made["width"], made["height"]) == (234, 434)


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ({"difference": 0.1, "low": 0.05, "high": 0.2, "verdict": "better"}, "The network is better than the colour"),
        ({"difference": -0.1, "low": -0.2, "high": -0.05, "verdict": "worse"}, "The network is worse than"),
        ({"difference": 0.1, "verdict": "cannot tell: fewer than 5 groups"}, "cannot tell whether the network is"),
        ({}, "The network reaches mean Dice 0.700 (95 % interval 0.600 – 0.800) on 12 test images in 12 groups."),
    ],
)
def test_the_verdict_compares_network_and_colour_baseline_in_one_sentence(sources, gain, words):
    said = tables.verdict_sentence(sources.test, gain)
    assert words in said and said.endswith(".") and "0.700 (95 % interval 0.600 – 0.800)" in said


def test_the_verdict_says_that_no_class_can_be_scored():
    assert tables.verdict_sentence({"images": 3, "classes": {}}, {}) == "No class can be scored on the 3 test images."


def test_the_gain_over_colour_is_the_difference_of_the_mean_dice():
    dataset = Dataset(classes={0: "ground", 1: "cell"})
    rng = np.random.default_rng(0)
    dice = {"unet": rng.uniform(0.6, 0.9, 20), "colour": rng.uniform(0.3, 0.6, 20)}
    rows = [
        {"id": str(number), "group": str(number // 2), "method": method, "class": name, "true": "5"}
        | {"dice": str(value) if name == "cell" else "1.0"}
        for method, values in dice.items()
        for number, value in enumerate(values)
        for name in dataset.names
    ]
    found = gain_over_colour(rows, dataset, 500, 0)
    assert found["difference"] == pytest.approx(dice["unet"].mean() - dice["colour"].mean(), abs=1e-6)
    assert 0 < found["low"] < found["difference"] < found["high"] and found["verdict"] == "better"
    assert gain_over_colour([row for row in rows if row["method"] == "unet"], dataset, 500, 0) == {}
    assert gain_over_colour([row | {"true": "0"} for row in rows], dataset, 500, 0) == {}


def test_a_scatter_chart_draws_a_limited_number_of_points():
    rows = [{"id": "a", "class": "cell", "true": "1", "dice": "0.5"}] * 9001
    spec = charts.sizes(rows, ["cell"], {"cell": "#D55E00"})
    assert 2000 < len(spec["data"]["values"]) <= charts.MOST_POINTS


def test_a_confusion_matrix_of_many_classes_shows_no_numbers():
    rows = [{"actual": str(a), "predicted": str(b), "pixels": "3"} for a in range(12) for b in range(12)]
    assert [layer["mark"]["type"] for layer in charts.confusion(rows)["layer"]] == ["rect"]


@pytest.mark.parametrize("script", ["'</SCRIPT >'", "'<!-- '"])
def test_a_script_that_would_end_its_element_is_refused(script):
    with pytest.raises(ValueError, match="cannot be inlined"):
        inline(script)


SIGHTS = {  # Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
    "full": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]


def lab(colour: str, sight: str) -> np.ndarray:
    """CIE L*a*b* (D65) of "#RRGGBB" as seen."""
    share = rgb(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    x, y, z = np.array(TO_XYZ) @ (np.array(SIGHTS[sight]) @ linear).clip(0, 1) / [0.95047, 1.0, 1.08883]
    f = [value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("colours", [(HIT, MISS, FALSE_ALARM), (TRAINING, VALIDATION), PALETTE])
def test_colours_are_told_apart_by_colour_blind_readers(sight, colours):
    """Their distance in CIE L*a*b* is at least 10; 2.3 is just noticeable."""
    for first, second in combinations(colours, 2):
        assert np.linalg.norm(lab(first, sight) - lab(second, sight)) > 10, (first, second)


def test_a_caveat_stands_below_the_headline_scores(sources):
    page = report_page(replace(sources, warning="Warning: frames & slices"), 1)
    assert "<p>Warning: frames &amp; slices</p>" in page.partition('<section id="curves">')[0]
    assert "Warning:" not in report_page(sources, 1)
