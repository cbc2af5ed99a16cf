"""README.md and docs/: pages are short, their links and paths exist, and what they quote from the project is true."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.archive.validate_archive import validate_archive
from src.data.source.dataset import Dataset
from src.files import flatten, parse_yaml, read_yaml
from src.params import Params
from tests.closure import ROOT
from tools.export import ONNX_EXAMPLE
from tools.settings import page

README, DOCS = ROOT / "README.md", sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *DOCS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACE = re.compile(r"(?<![\w./~-])((?:src|tests|stages|tools|benchmarks|docs|notebooks|\.ci|\.github)/[\w./-]*)")
PLACEHOLDER = re.compile(r"[A-Z]{3,}")  # such as tests/test_NAME.py
MOST_LINES = {README: 150}
MOST_LINES_OF_DOCS = 200


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language in a page."""
    return [text for kind, text in FENCE.findall(path.read_text()) if kind == language]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> Iterator[str]:
    """The links of a page that lead to files of the project or to headings."""
    for target in LINK.findall(FENCE.sub("", path.read_text())):
        if not re.match(r"https?:", target):
            yield target


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_are_short(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES.get(path, MOST_LINES_OF_DOCS)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_to_files_and_headings(path):
    for target in links(path):
        file, _, anchor = target.partition("#")
        place = path.parent / file if file else path
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_named_files_exist(path):
    for place in PLACE.findall(path.read_text()):
        if not PLACEHOLDER.search(place):
            assert (ROOT / place.rstrip(".")).exists(), place


def test_every_page_is_linked_from_the_readme():
    assert {name(path) for path in DOCS} <= set(links(README))


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_every_page_has_an_example_to_run(path):
    assert blocks(path, "bash")


def test_the_first_two_blocks_of_the_readme_run_the_project_and_its_tests():
    """.ci/run evaluates the second of them."""
    run, test = [text for _, text in FENCE.findall(README.read_text())][:2]
    assert run.count("\n") == test.count("\n") == 1
    assert run.endswith("&& dvc repro\n") and test.endswith("&& pytest -n auto\n")


def test_the_readme_shows_the_scores_of_the_committed_run():
    test = json.loads((ROOT / "metrics/test.json").read_text())
    mean, classes = test["dice"], test["classes"]
    colour = test["baseline"]
    lines = README.read_text().splitlines()
    rows = [
        [f"{mean['mean']:.3f} (95 % interval {mean['low']:.3f} – {mean['high']:.3f})"]
        + [f"{scores['dice']:.3f}" for scores in classes.values()],
        [f"{colour['dice']['mean']:.3f}"] + [f"{scores['dice']:.3f}" for scores in colour["classes"].values()],
    ]
    assert any(line.startswith("| Dice on") and line.endswith(f"| {' | '.join(classes)} |") for line in lines)
    for row in rows:
        assert any(line.endswith(f"| {' | '.join(row)} |") for line in lines), row


def test_the_page_of_training_shows_the_plan_of_the_last_run():
    path = ROOT / "models/unet.keras"
    if not path.exists():
        pytest.skip("no models/unet.keras here: dvc repro makes it")
    rows = re.findall(
        r"^\| `(\w+(?:\.\w+)+)` \| (\S+) \| (.*) \|$", (ROOT / "docs/training.md").read_text(), re.MULTILINE
    )
    plan = validate_archive(path).project.plan
    assert rows == [(key, str(one.value), one.why) for key, one in plan.items()]


def test_identifiers_in_the_developers_page_exist():
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tools/*.py"), ROOT / "dvc.yaml", ROOT / "params.yaml"]
    files += [ROOT / ".github/workflows/test.yml", *ROOT.glob("tests/*.py")]
    words = set(re.findall(r"\w+", "\n".join(file.read_text() for file in files)))
    text = FENCE.sub("", (ROOT / "docs/developing.md").read_text())
    identifiers = set(re.findall(r"`(\w+)`", text))
    assert {"total_loss", "RATIOS"} <= identifiers
    assert identifiers <= words


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_examples_in_python_import_what_exists(path):
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("src"):
                place = ROOT.joinpath(*node.module.split("."))
                file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
                assert all(re.search(rf"\b{alias.name}\b", file.read_text()) for alias in node.names)


def test_the_examples_of_dataset_yaml_are_accepted_and_show_every_key():
    contents = [parse_yaml(block, Path("dataset.yaml")) for block in blocks(ROOT / "docs/your-data.md", "yaml")]
    assert set().union(*contents) == set(Dataset.model_fields) - {"package", "train", "validation"}
    for content in contents:
        Dataset.model_validate(content)


def test_the_documented_example_of_onnx_is_the_one_that_is_tested():
    assert ONNX_EXAMPLE.strip() in (ROOT / "docs/deploying.md").read_text()


def test_the_page_of_settings_is_up_to_date():
    """Else run: python -m tools.settings"""
    text, stages = (ROOT / "params.yaml").read_text(), read_yaml(ROOT / "dvc.yaml")["stages"]
    assert (ROOT / "docs/settings.md").read_text() == page(text, Params.model_json_schema(), stages)


def test_every_setting_is_on_its_page_with_its_default():
    rows = re.findall(r"^\| `([\w.]+)` \| `([^`]*)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    defaults = flatten(read_yaml(ROOT / "params.yaml"))
    assert {key: parse_yaml(value, Path("settings.md")) for key, value in rows} == defaults
    assert len(rows) == len(defaults)


def test_every_setting_has_a_meaning():
    for line in (ROOT / "docs/settings.md").read_text().splitlines():
        if line.startswith("| `"):
            assert re.fullmatch(r"\| `.*\| .*\w.* \|", line) and not line.endswith("|  |"), line
