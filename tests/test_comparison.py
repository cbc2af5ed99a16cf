"""Comparisons whose answer is known, what is refused, gates, and `python -m tools.compare` from end to end."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from src.data.dataset import Dataset, write_dataset
from src.errors import UserError
from src.evaluation import comparison
from src.evaluation.common import Common, common
from src.evaluation.comparison import STALE, TWO_MODELS, TWO_SEEDS, UNCHANGED, UNKNOWN, compare, judge
from src.evaluation.experiments import read_runs, with_other_seeds
from src.evaluation.gates import judged, read_gates, stop_on_failed
from src.evaluation.verdict import BETTER, EQUAL, FEW, NONE, SAME, UNTOLD, WORSE, more
from src.files import write_csv, write_yaml
from src.report.comparison import about, code, comparison_markdown, comparison_text, printable
from tests.closure import ROOT
from tests.dvc_project import dvc_project
from tests.made_scores import DATASET, make_run
from tools.compare import arguments, main

OTHER = {"train.lr": 0.001}


def made(images=24, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 0.8, (images, 3))


def pair(gain=0.05, noise=0.02, images=24):
    """B is better than A by about `gain` on every image."""
    first = made(images)
    second = first + gain + np.random.default_rng(1).normal(0, noise, first.shape)
    return first, second


def every_row(compared):
    return [row for m in ("dice", "iou") for row in (compared[m]["mean"], *compared[m]["classes"].values())]


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(comparison, "RESAMPLES", 1000)


@pytest.mark.parametrize(("gain", "said"), [(0.05, BETTER), (-0.05, WORSE), (0.0, UNTOLD)])
def test_the_verdict_is_the_one_that_the_scores_were_made_for(gain, said):
    first, second = pair(gain)
    if not gain:
        second[:, 1:] -= (second - first)[:, 1:].mean(axis=0) - 0.0004
    compared = compare(make_run("a", first), make_run("b", second, OTHER))
    row = compared["dice"]["mean"]
    assert row["verdict"] == said and row["low"] < row["difference"] < row["high"]
    assert all(compared[m]["classes"][c]["verdict"] == said for m in ("dice", "iou") for c in ("cell", "debris"))
    assert ("more_images" in row) == (said == UNTOLD)
    assert compared["images"] == compared["groups"] == 24 and compared["notes"][-1 - (not gain)] == TWO_MODELS
    assert compared["params"] == {"train.lr": {"first": "0.002", "second": "0.001"}}


def test_differences_are_those_of_plain_means_whatever_is_missing():
    first, second = pair()
    rng = np.random.default_rng(2)
    for scores in (first, second):  # not the same images: a class may be predicted by one alone
        scores[rng.random(scores.shape) < 0.3] = np.nan
    compared = compare(make_run("a", first), make_run("b", second, OTHER))
    means = [pd.DataFrame(scores, columns=DATASET.names).mean() for scores in (first, second)]
    for name in DATASET.names:
        row = compared["dice"]["classes"][name]
        assert [row["first"], row["second"]] == pytest.approx([m[name] for m in means], abs=2e-6)
        assert row["difference"] == pytest.approx(means[1][name] - means[0][name], abs=2e-6)
    expected = (means[1] - means[0])[["cell", "debris"]].mean()
    assert compared["dice"]["mean"]["difference"] == pytest.approx(expected, abs=2e-6)


def test_swapped_runs_swap_the_answer():
    first, second = (make_run(name, scores, {"train.lr": name}) for name, scores in zip("ab", pair(), strict=True))
    there, back = (every_row(compare(*runs)) for runs in ((first, second), (second, first)))
    for one, other in zip(there, back, strict=True):
        assert one["difference"] == -other["difference"] and (one["verdict"], other["verdict"]) == (BETTER, WORSE)
        assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]), abs=2e-3)


def test_a_paired_difference_is_told_where_the_scores_alone_could_not():
    first = np.random.default_rng(3).uniform(0, 0.9, (20, 3))
    second = first + np.random.default_rng(4).uniform(0.01, 0.03, first.shape)
    row = compare(make_run("a", first), make_run("b", second, OTHER))["dice"]["mean"]
    assert row["verdict"] == BETTER and row["high"] - row["low"] < 0.01


def test_images_of_one_group_are_no_independent_evidence():
    rng = np.random.default_rng(5)
    first, shift = made(60), np.repeat(rng.normal(0.008, 0.02, 6), 10)[:, None]
    groups = [f"patient {number // 10}" for number in range(60)]
    widths = []
    for own in (None, groups):
        row = compare(make_run("a", first, groups=own), make_run("b", first + shift, OTHER, groups=own))["dice"]["mean"]
        widths.append(row["high"] - row["low"])
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("panels", [4, 8])
def test_two_seeds_of_one_setting_claim_nothing(panels):
    first, second = pair(0.2)
    compared = compare(make_run("a", first), make_run("b", second, {"seed": 1, "report.panels": panels}))
    assert {row["verdict"] for row in every_row(compared)} == {SAME} and TWO_SEEDS in compared["notes"]
    assert not any("more_images" in row for row in every_row(compared))
    other = compare(make_run("a", first), make_run("b", second, {"seed": 1, "split.seed": 1}))
    assert other["dice"]["mean"]["verdict"] == BETTER


def test_unknown_and_unchanged_parameters_are_said():
    first, second = pair()
    assert UNKNOWN in compare(make_run("a", first), make_run("b", second, None))["notes"]
    assert UNKNOWN not in (notes := compare(make_run("a", first, {}), make_run("b", second, {}))["notes"])
    assert UNCHANGED in notes


def test_equal_runs_and_too_few_groups():
    first, second = pair()
    same = compare(make_run("a", first, {}), make_run("b", first, {}))
    assert {row["verdict"] for row in every_row(same)} == {EQUAL} and STALE not in same["notes"]
    assert STALE in compare(make_run("a", first), make_run("b", first, OTHER))["notes"]
    few = compare(make_run("a", first[:4], {}), make_run("b", second[:4], OTHER))
    assert {row["verdict"] for row in every_row(few)} == {FEW} and "low" not in few["dice"]["mean"]
    first[4:, 1] = second[4:, 1] = np.nan
    some = compare(make_run("a", first, {}), make_run("b", second, OTHER))["dice"]
    assert some["classes"]["cell"]["verdict"] == FEW and some["classes"]["debris"]["verdict"] == BETTER
    first[:, 1] = np.nan
    none = compare(make_run("a", first, {}), make_run("b", second, OTHER))["dice"]["classes"]["cell"]
    assert none["verdict"] == NONE and "difference" not in none and "first" not in none


def test_one_setting_of_equal_luck_claims_a_difference_in_5_percent():
    """The parameters are unknown here, so that nothing but the intervals keeps it from claiming one."""
    rng, groups, claimed = np.random.default_rng(0), np.repeat(np.arange(40), 2), 0
    for _ in range(300):
        base = rng.beta(8, 3, (80, 3))
        runs = [
            np.clip(base + rng.normal(0, 0.05, (40, 3))[groups] + rng.normal(0, 0.05, base.shape), 0, 1) for _ in "ab"
        ]
        shared = Common(
            DATASET, DATASET.foreground, groups, ["unet"] * 2, [0, 0], False, [{"dice": scores} for scores in runs]
        )
        claimed += judge(shared, "dice", [1, 2], 0.95, same=False)["verdict"] != UNTOLD
    assert claimed / 300 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_classes_are_corrected_for_their_number_but_a_single_one_is_the_mean():
    first, second = pair()
    compared = compare(make_run("a", first, {}), make_run("b", second, OTHER))["dice"]
    assert compared["mean"]["level"] == 0.95 and compared["classes"]["cell"]["level"] == 0.975
    binary = Dataset(classes={0: "sky", 1: "cell"})
    runs = [make_run(n, s[:, :2], p, dataset=binary) for n, s, p in (("a", first, {}), ("b", second, OTHER))]
    assert (one := compare(*runs)["dice"])["mean"] == one["classes"]["cell"]


def test_how_many_more():
    assert more(10, 0.01, 0.02) == pytest.approx(30)  # half the width: four times as many
    assert more(10, 0.02, 0.019) == 1  # an interval that is not symmetric may hold 0 all the same
    assert more(10, 0.0, 0.02) is None and more(10, 0.01, 0.02, fixed=0.01) is None
    assert more(10, 0.05, 0.08, fixed=0.03) == pytest.approx(30)
    assert [about(value) for value in (1, 7.2, 30, 120.5, 123_456)] == [
        "1", "about 8", "30", "about 130", "more than 100,000",
    ]  # fmt: skip
    first, second = pair(0.003, 0.1)
    row = compare(make_run("a", first), make_run("b", second, OTHER))["dice"]["mean"]
    needed = 24 * ((row["high"] - row["low"]) / 2 / row["difference"]) ** 2
    assert row["more_images"] == pytest.approx(needed - 24, rel=0.01)


def test_only_shared_images_are_compared():
    first, second = pair(images=30)
    ids = [f"i{number:02}" for number in range(30)]
    a, b = make_run("a", first[:24], ids=ids[:24]), make_run("b", second[6:], OTHER, ids=ids[6:])
    compared = compare(a, b)
    assert compared["images"] == 18 and "left out are 6 of A and 6 of B" in compared["notes"][0]
    assert compared["dice"]["mean"]["first"] == pytest.approx(first[6:24, 1:].mean(), abs=2e-6)
    assert compared["dice"]["mean"]["second"] == pytest.approx(second[6:24, 1:].mean(), abs=2e-6)
    with pytest.raises(UserError, match=r"share none\n  a: 6 images, such as 'i00'\n  b: 24 images"):
        compare(make_run("a", first[:6], ids=ids[:6]), b)


def test_changed_masks_are_refused_by_name():
    first, second = pair()
    true = np.full(first.shape, 4)
    true[3, 1], true[5, 2] = 7, 0
    with pytest.raises(UserError, match="masks of 2 shared") as error:
        compare(make_run("a", first), make_run("b", second, OTHER, true=true))
    assert "image 003, cell: 4, 7" in str(error.value) and "image 005, debris: 4, 0" in str(error.value)


def test_classes_are_matched_by_name():
    first, second = pair()
    turned = Dataset(classes={0: "debris", 1: "sky", 2: "cell"}, background="sky")
    straight = compare(make_run("a", first), make_run("b", second, OTHER))
    assert straight == compare(make_run("a", first), make_run("b", second[:, [2, 0, 1]], OTHER, dataset=turned))
    for other in (
        Dataset(classes={0: "sky", 1: "cell", 2: "dust"}, background="sky"),
        Dataset(classes=DATASET.classes),
    ):
        with pytest.raises(UserError, match="different classes") as error:
            compare(make_run("a", first), make_run("b", second, OTHER, dataset=other))
        assert "a: cell, debris, sky; left out of means: sky\n  b: cell, d" in str(error.value)


def test_images_that_share_a_group_in_either_are_one_group():
    first, second = pair(images=6)
    a = make_run("a", first, groups=list("aabbcc"))
    assert common([a, make_run("b", second, groups=list("xxyyzz"))]).regrouped is False
    shared = common([a, make_run("b", second, groups=list("xyyzww"))])
    assert shared.regrouped and pd.factorize(shared.groups)[0].tolist() == [0, 0, 0, 0, 1, 1]
    told = compare(a, make_run("b", second, OTHER, groups=list("xyyzww")))
    assert told["groups"] == 2 and any("group these images differently" in note for note in told["notes"])


def test_methods():
    first, second = pair()
    a, b = make_run("a", first), make_run("b", second, OTHER, method="theirs")
    assert [compare(a, b)[side]["method"] for side in ("first", "second")] == ["unet", "theirs"]
    both = make_run("a", first)
    both.rows.extend(make_run("a", second, method="colour").rows)
    assert compare(both, b)["first"]["method"] == "unet"
    gain = compare(both, make_run("b", second, OTHER, method="colour"), "colour")["dice"]["mean"]
    assert gain["verdict"] == EQUAL
    with pytest.raises(UserError, match=r"no method 'colour'; what they have is\n  b: theirs"):
        compare(both, b, "colour")
    b.rows.extend(make_run("b", second, method="third").rows)
    with pytest.raises(UserError, match=r"choose by --method; what they have is\n  b: theirs, third"):
        compare(a, b)


def test_a_table_that_is_none_is_refused_row_by_row():
    run = make_run("a", made(4))
    spoilt = [("dice", "1.5"), ("iou", "much"), ("true", "-1"), ("class", "dust"), ("group", "x"), ("id", "\x1b[")]
    for number, (key, value) in enumerate(spoilt):
        run.rows[number][key] = value
    with pytest.raises(UserError) as error:
        common([run, run])
    said = str(error.value)
    for words in (
        "row 2: dice is '1.5'",
        "row 3: iou is 'much'",
        "row 4: true is '-1'",
        "row 5: no class of",
        "in group",
        "\\x1b",
    ):
        assert words in said
    assert "\x1b" not in said
    short = make_run("a", made(4))
    del short.rows[3]
    short.rows.append(dict(short.rows[0]))
    with pytest.raises(UserError) as error:
        common([short, short])
    assert "unet, image 000, sky: 2 rows" in str(error.value) and "unet, image 001, sky: 0 rows" in str(error.value)
    for row in short.rows:
        del row["true"], row["iou"]
    with pytest.raises(UserError, match="no column true\n  no column iou"):
        common([short, short])


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
def test_gates(row, most, failed):
    compared = {measure: {"mean": row, "classes": {"cell": row}} for measure in ("dice", "iou")}
    found = judged({"dice.cell": most, "iou.mean": most}, compared)
    assert [gate["failed"] for gate in found.values()] == [failed, failed]
    if failed:
        with pytest.raises(UserError, match=r"2 of 2 gate\(s\) failed\n  dice.cell: .*\n  iou.mean: ") as error:
            stop_on_failed(found)
        assert ("no interval" in str(error.value)) == (row is NO_INTERVAL)
    else:
        stop_on_failed(found)


def test_gates_are_read():
    assert read_gates(["dice.mean=0.01", "iou.a=b=1e-3"], ["sky", "a=b"]) == {"dice.mean": 0.01, "iou.a=b": 0.001}
    with pytest.raises(UserError) as error:
        read_gates(["dice.mean", "dice.mean=x", "dice.dust=0.1", "iou.mean=-1", "iou.sky=nan", "iou.sky=0.1"], ["sky"])
    lines = str(error.value).splitlines()
    assert len(lines) == 7 and lines[-1] == "scores are dice.mean, dice.sky, iou.mean, iou.sky"
    assert "  dice.dust=0.1: no such score" in lines and "  iou.sky=nan: not a number from 0 to 1" in lines


NASTY = "a|b`c`<script>@you [x](http://y.z) *_ www.z.y\\"


def test_names_mark_up_nothing():
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
    compared["gates"] = judged({f"dice.{NASTY}": 0.1}, compared)
    page = comparison_markdown(compared)
    assert NASTY not in page and "@" not in page and "<script" not in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert [line.count("|") for line in table] == [7] * 10 + [4] * 3 and table[1] == "| --- |" + " ---: |" * 5
    assert f"| Dice mean | {first[:, 1:].mean():.3f} | {second[:, 1:].mean():.3f} |" in table[2]
    assert "- A: <code>a&#124;b" in page and f"gate {code(f'dice.{NASTY}')}: passed" in page


def test_the_text_says_it_all():
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


def run_tool(folder, *arguments):
    found = subprocess.run(
        [sys.executable, "-m", "tools.compare", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in found.stderr + found.stdout
    return found


def test_the_command_on_two_folders(tmp_path):
    first, second = pair()
    folder_of(tmp_path / "a", make_run("a", first, {}), project=True)
    folder_of(tmp_path / "b", make_run("b", second, OTHER), project=True)
    found = run_tool(tmp_path, "a", "b", "--json", "out.json", "--markdown", "out.md", "--gate", "dice.mean=0")
    assert found.returncode == 0 and found.stderr == "" and "better" in found.stdout and "train.lr" in found.stdout
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["dice"]["mean"]["verdict"] == BETTER and told["gates"]["dice.mean"]["failed"] is False
    assert told["params"] == {"train.lr": {"first": "0.002", "second": "0.001"}}
    assert (tmp_path / "out.md").read_text().startswith("### Is B better than A?")
    failing = ["b", "a", "--json", "fell.json", "--gate", "dice.mean=0.01", "--gate", "iou.sky=0.5"]
    found = run_tool(tmp_path, *failing)
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
    ],
)
def test_what_the_command_refuses(tmp_path, monkeypatch, given, words):
    for name, scores in zip("ab", pair(images=6), strict=True):
        folder_of(tmp_path / name, make_run(name, scores))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        main(arguments().parse_args(given))
    assert words in str(error.value) and {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_folders_of_every_kind(tmp_path):
    run = make_run("a", made(6), {})
    alone, project = folder_of(tmp_path / "scored", run), folder_of(tmp_path / "p", run, project=True)
    read = read_runs([str(alone), str(project), str(project / "data/evaluation")])
    assert [dict(one.params) for one in read] == [{}, *[{"seed": 0, "train.lr": 0.002}] * 2]
    assert all(one.dataset == DATASET and list(one.rows) == run.rows for one in read)
    (alone / "dataset.yaml").unlink()
    with pytest.raises(UserError, match=r"dataset\.yaml: cannot be read"):
        read_runs([str(alone)])


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
    assert compare(*read_runs(["s1", "s2"]))["dice"]["mean"]["verdict"] == SAME
    assert compare(*read_runs(["f2", "."]))["dice"]["mean"]["verdict"] == EQUAL  # the last one lies in the workspace
    runs, without = with_other_seeds("s2")
    assert [run.name for run in runs] == ["s2", "s1"] and without == ["HEAD"]
    with pytest.raises(UserError, match=r"no scores .*\n  nope: unknown Git revision 'nope'\n  HEAD: "):
        read_runs(["s1", "nope", "HEAD"])
