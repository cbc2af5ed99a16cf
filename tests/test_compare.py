"""`python -m tools.compare`: gates, words and Markdown, what is refused, folders and revisions from end to end."""

import json
from dataclasses import asdict

import pytest

from src.data.source.dataset import Dataset, write_dataset
from src.errors import UserError
from src.evaluation.comparison import comparison
from src.evaluation.comparison.comparison import TWO_MODELS, compare
from src.evaluation.comparison.limits import check_gates, read_gates, stop_on_failed
from src.evaluation.comparison.ranking import LOWER
from src.evaluation.comparison.verdict import BETTER, EQUAL, SAME
from src.files import write_csv, write_yaml
from src.report.text.comparison import code, comparison_markdown, comparison_text, printable
from src.reproduction.history.experiments import read_runs, with_other_seeds
from tests.dvc_project import dvc_project
from tests.made_scores import DATASET, make_run
from tests.test_commands import run
from tests.test_comparison import OTHER, made, pair
from tools import experiment_files
from tools.compare import arguments, main

FILES = experiment_files()


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(comparison, "RESAMPLES", 1000)


ROW = {"first": 0.8, "second": 0.7, "difference": -0.1, "low": -0.15, "high": -0.05, "level": 0.95}
NO_INTERVAL = {key: ROW[key] for key in ("first", "second", "difference", "level")}


@pytest.mark.parametrize(
    ("row", "most", "failed"),
    [
        (ROW, 0.01, True),
        (ROW, 0.0499, True),
        (ROW, 0.05, False),  # it may have fallen by 0.15, but not with confidence by more than 0.05
        (NO_INTERVAL, 0.09, True),
        (NO_INTERVAL, 0.1, False),
        (ROW | {"difference": 0.1, "low": 0.05, "high": 0.15}, 0.0, False),
        ({"first": 0.8, "level": 0.95}, 0.5, True),
        ({}, 0.5, False),
    ],
)
def test_gates_fail_when_the_whole_interval_is_below_the_limit(row, most, failed):
    compared = {measure: {"mean": row, "classes": {"cell": row}} for measure in ("dice", "iou")}
    found = check_gates({"dice.cell": most, "iou.mean": most}, compared)
    assert [gate.failed for gate in found.values()] == [failed, failed]
    if failed:
        with pytest.raises(UserError, match=r"2 of 2 gate\(s\) failed\n  dice.cell: .*\n  iou.mean: ") as error:
            stop_on_failed(found)
        assert ("no interval" in str(error.value)) == (row is NO_INTERVAL)
    else:
        stop_on_failed(found)


def test_read_gates_parses_keys_and_lists_all_mistakes():
    assert read_gates(["dice.mean=0.01", "iou.a=b=1e-3"], ["sky", "a=b"]) == {"dice.mean": 0.01, "iou.a=b": 0.001}
    with pytest.raises(UserError) as error:
        read_gates(["dice.mean", "dice.mean=x", "dice.dust=0.1", "iou.mean=-1", "iou.sky=nan", "iou.sky=0.1"], ["sky"])
    lines = str(error.value).splitlines()
    assert len(lines) == 7 and lines[-1] == "scores are dice.mean, dice.sky, iou.mean, iou.sky"
    assert "  dice.dust=0.1: no such score" in lines and "  iou.sky=nan: not a number from 0 to 1" in lines


NASTY = "a|b`c`<script>@you [x](http://y.z) *_ www.z.y\\"


def test_names_are_escaped_in_text_and_markdown():
    escaped = code(NASTY)
    assert escaped.startswith("<code>") and not set("|`<>@[]()*_:/\\") & set(escaped[6:-7])
    assert "www." not in escaped and escaped.isascii()
    assert code("train.lr 1e-4") == "<code>train.lr 1e-4</code>"
    assert printable("a\x1b[31m\nb\u202e") == "a\\x1b[31m\\nb\\u202e" and printable("größe 0") == "größe 0"


def test_markdown_is_a_table_of_equal_rows():
    first, second = pair()
    nasty = Dataset(classes={0: "sky", 1: NASTY, 2: "debris"}, background="sky")
    runs = [make_run(NASTY, first, {}, dataset=nasty), make_run("b", second, {"model": NASTY}, dataset=nasty)]
    compared = compare(*runs)
    compared["gates"] = {key: asdict(gate) for key, gate in check_gates({f"dice.{NASTY}": 0.1}, compared).items()}
    page = comparison_markdown(compared)
    assert NASTY not in page and "@" not in page and "<script" not in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert [line.count("|") for line in table] == [7] * 10 + [4] * 3 and table[1] == "| --- |" + " ---: |" * 5
    assert f"| Dice mean | {first[:, 1:].mean():.3f} | {second[:, 1:].mean():.3f} |" in table[2]
    assert "- A: <code>a&#124;b" in page and f"gate {code(f'dice.{NASTY}')}: passed" in page


def test_the_text_names_sides_sizes_parameters_and_verdicts():
    first, second = pair()
    compared = compare(make_run("run one", first), make_run("run two", second, OTHER))
    text = comparison_text(compared)
    row = compared["dice"]["mean"]
    line = next(line for line in text.splitlines() if line.startswith("Dice mean"))
    parts = f"{row['first']:.3f}", f"{row['difference']:+.4f}", f"{row['low']:+.4f} – {row['high']:+.4f}", BETTER
    assert all(part in line for part in parts) and line.endswith(BETTER)
    assert "run one" in text and "train.lr" in text and "IoU debris" in text and "24 test images in 24 groups" in text
    assert TWO_MODELS in " ".join(text.split()) and max(map(len, text.splitlines())) <= 120


def folder_of(folder, run, *, project=False):
    place = folder / "data/evaluation" if project else folder
    write_csv(place / "scores.csv", run.rows, list(run.rows[0]))
    write_dataset(folder / "data/prepared" if project else folder, run.dataset)
    if project:
        write_yaml(folder / "params.yaml", {"seed": run.params["seed"], "train": {"lr": run.params["train.lr"]}})
    return folder


def test_the_command_on_two_folders(tmp_path):
    first, second = pair()
    folder_of(tmp_path / "a", make_run("a", first, {}), project=True)
    folder_of(tmp_path / "b", make_run("b", second, OTHER), project=True)
    found = run(
        tmp_path, "tools.compare", "a", "b", "--json", "out.json", "--markdown", "out.md", "--gate", "dice.mean=0"
    )
    assert found.returncode == 0 and found.stderr == "" and "better" in found.stdout and "train.lr" in found.stdout
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["dice"]["mean"]["verdict"] == BETTER and told["gates"]["dice.mean"]["failed"] is False
    assert told["params"] == {"train.lr": {"first": "0.002", "second": "0.001"}}
    assert (tmp_path / "out.md").read_text().startswith("### Is B better than A?")
    failing = ["b", "a", "--json", "fell.json", "--gate", "dice.mean=0.01", "--gate", "iou.sky=0.5"]
    found = run(tmp_path, "tools.compare", *failing)
    assert found.returncode == 1 and found.stderr.startswith("compare: 1 of 2 gate(s) failed\n  dice.mean: -0.0")
    assert json.loads((tmp_path / "fell.json").read_text())["gates"]["dice.mean"]["failed"] is True


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["a", "b", "--gate", "dice.dust=1"], "dice.dust=1: no such score"),
        (["a"], "name two runs"),
        (["a", "--seeds", "--gate", "dice.mean=1"], "name two runs"),
        (["a", "nothing"], "nothing: "),
        (["", "b"], "a name is empty"),
        (["a,", "b", "--seeds"], "a name is empty"),
        (["a,b", "c"], "are compared by --seeds"),
        (["a", "b", "--method", "x"], "no method 'x'"),
        (["a", "b", "--seeds"], "A must be two or more runs"),
        (["a", "--all"], "--all ranks all experiments: give no names"),
        (["--all", "--gate", "dice.mean=1"], "no --gate"),
        (["a", "b", "--by", "dice.mean"], "--by chooses the score of --all"),
        ([], "name two runs, A and B, or give --all"),
    ],
)
def test_compare_refuses_wrong_arguments(tmp_path, monkeypatch, given, words):
    for name, scores in zip("ab", pair(images=6), strict=True):
        folder_of(tmp_path / name, make_run(name, scores))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        main(arguments().parse_args(given))
    assert words in str(error.value) and {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_runs_are_read_from_projects_and_plain_folders(tmp_path):
    run = make_run("a", made(6), {})
    alone, project = folder_of(tmp_path / "scored", run), folder_of(tmp_path / "p", run, project=True)
    read = read_runs([str(alone), str(project), str(project / "data/evaluation")], FILES)
    assert [dict(one.params) for one in read] == [{}, *[{"seed": 0, "train.lr": 0.002}] * 2]
    assert all(one.dataset == DATASET and list(one.rows) == run.rows for one in read)
    (alone / "dataset.yaml").unlink()
    with pytest.raises(UserError, match=r"dataset\.yaml: cannot be read"):
        read_runs([str(alone)], FILES)


STAGE = """
import csv, pathlib, random, yaml
params = yaml.safe_load(open("params.yaml"))
for name in ("data/evaluation", "data/prepared"):
    pathlib.Path(name).mkdir(parents=True)
pathlib.Path("data/prepared/dataset.yaml").write_text("classes: {0: sky, 255: cell}\\n")
luck = random.Random(params["seed"])
with open("data/evaluation/scores.csv", "w") as file:
    writer = csv.writer(file)
    writer.writerow(["id", "group", "method", "class", "true", "predicted", "overlap", "dice", "iou"])
    for image in range(8):
        for name in ("sky", "cell"):
            score = 0.5 + params["train"]["lr"] + 0.05 * luck.random()
            writer.writerow([image, image, "unet", name, 4, 4, 2, score, score / 2])
"""


def test_revisions_experiments_and_the_workspace_are_compared(tmp_path, monkeypatch, capsys):
    call = dvc_project(tmp_path, STAGE, "seed: 0\ntrain: {lr: 0.1}\n")
    for name, seed, rate in (("s1", 1, 0.1), ("s2", 2, 0.1), ("f1", 1, 0.3), ("f2", 2, 0.3)):
        call("dvc", "exp", "run", "-q", "-n", name, "-S", f"seed={seed}", "-S", f"train.lr={rate}")
    monkeypatch.chdir(tmp_path)
    main(arguments().parse_args(["s1", "f1"]))
    assert "better" in (text := capsys.readouterr().out) and "train.lr" in text
    main(arguments().parse_args(["f1", "s1", "--seeds"]))
    text = capsys.readouterr().out
    assert "f1,f2" in text and "s1,s2" in text and "left out: HEAD" in text and "worse" in text
    assert compare(*read_runs(["s1", "s2"], FILES))["dice"]["mean"]["verdict"] == SAME
    assert (
        compare(*read_runs(["f2", "."], FILES))["dice"]["mean"]["verdict"] == EQUAL
    )  # the last one lies in the workspace
    main(arguments().parse_args(["--all", "--json", "all.json", "--markdown", "all.md"]))
    text, ranked = capsys.readouterr().out, json.loads((tmp_path / "all.json").read_text())
    assert set(list(ranked["ranking"])[:2]) == {"f1", "f2"} and ranked["ranking"]["s1"]["verdict"] == LOWER
    assert "cannot be read here" in ranked["left_out"]["HEAD"] and ranked["left_out"]["."].endswith("scores of f2")
    assert LOWER in text and "f1" in (tmp_path / "all.md").read_text()
    runs, without = with_other_seeds("s2", FILES)
    assert [run.name for run in runs] == ["s2", "s1"] and without == ["HEAD"]
    with pytest.raises(UserError, match=r"no scores .*\n  nope: unknown Git revision 'nope'\n  HEAD: "):
        read_runs(["s1", "nope", "HEAD"], FILES)
