"""The model card: its numbers equal the files, names are escaped, and files of different runs are refused."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from markdown_it import MarkdownIt

from src.data.classes.label_format import LabelFormat
from src.errors import UserError
from src.files import read_csv, read_json, write_csv, write_json, write_yaml
from src.report.card.card import TO_FILL_IN, model_card
from src.report.card.sources import read_card_sources, required_files
from src.reproduction.history.provenance import hash_of, revision, versions
from stages.visualize import run_files
from tests.closure import ROOT
from tests.conftest import prepared, write_data_set
from tools.card import arguments, main

HEADINGS = ["Intended use", "Data", "What the checks found", "Split", "Plan", "Training", "Scores", "Calibration"]
HEADINGS += ["Decisions", "Where it fails", "Licence", "How to repeat it"]
HOSTILE = ["a|b", "<script>alert(1)</script>", "`x`", "[l](http://e.org)", "**b** _i_ @me www.e.org", "&amp;\\|"]
OUTS = {
    "prepare": ["data/prepared", "data/checks.csv"],
    "split": ["data/splits.csv"],
    "train": ["models/unet.keras", "metrics/train.json"],
    "evaluate": ["data/evaluation", "metrics/test.json"],
}
DEPS = {"split": ["data/prepared"], "train": ["data/prepared", "data/splits.csv"]}
DEPS["evaluate"] = ["data/prepared", "data/splits.csv", "models/unet.keras"]


def md5(path):
    """The MD5 as DVC computes it, without the code under test; folders have no subfolders here."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    rows = [{"md5": md5(file), "relpath": file.name} for file in sorted(path.iterdir())]
    return hashlib.md5(json.dumps(rows).encode()).hexdigest() + ".dir"


def lock(folder, **sections):
    """Write dvc.lock as after a run that wrote these files; sections: further ones of params.yaml."""

    def entries(names):
        return [{"path": name, "md5": md5(folder / name)} for name in names]

    params = {"prepare": {"data.source": "data/my|set"}, "split": {"split": {"seed": 3, "folds": 5, "fold": 2}}}
    params |= {"train": {"seed": 7, "train": {"initial": "none"}} | sections, "evaluate": {"seed": 7}}
    stages = {
        name: {"outs": entries(outs), "deps": entries(DEPS.get(name, [])), "params": {"params.yaml": params[name]}}
        for name, outs in OUTS.items()
    }
    write_yaml(folder / "dvc.lock", {"schema": "2.0", "stages": stages})
    now = {"data": {"source": "data/my|set"}, "split": params["split"]["split"], "train": {"initial": "none"}}
    write_yaml(folder / "params.yaml", now | {"seed": 7} | sections)


def made_scores(names, start, intervals):
    """Scores that are all different, so that a mix-up is visible."""
    numbers = iter(value / 1000 for value in range(start, 1000, 3))
    low_high = (lambda mean: {"low": round(mean / 2, 6), "high": round(mean * 1.1, 6)}) if intervals else lambda _: {}

    def headline():
        mean = next(numbers)
        return {"mean": mean, **low_high(mean)}

    scores = {name: headline() for name in ("dice", "iou", "surface_dice")}
    measures = ("dice", "iou", "surface_dice", "hd95")
    scores["classes"] = {
        name: {m: next(numbers) for m in measures} | {"images": 4 + place, "groups": 3 + place}
        for place, name in enumerate(names)
    }
    scores["pooled"] = {name: {"dice": next(numbers), "iou": next(numbers)} for name in names}
    return scores | {"accuracy": next(numbers)}


def make_run(folder, names, intervals=True):
    """A finished run of 12 images with these classes. Scores are invented; the files are like those of the stages."""
    from src.archive.project import PlannedSetting
    from src.model.network.model_file import write_model
    from src.model.network.unet import build_unet
    from src.params import PlannedModel
    from tests.test_predictor import project

    source = write_data_set(folder / "my set", classes=len(names))
    write_yaml(source / "dataset.yaml", {"classes": dict(enumerate(names))})
    store = prepared(source, folder / "data")
    foreground = [store.dataset.names[index] for index in store.dataset.foreground]
    ids = [record.id for record in store.records]
    subsets = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    rows = [{"id": i, "group": i.split("-")[0], "subset": s, "fold": ""} for i, s in zip(ids, subsets, strict=True)]
    write_csv(folder / "data/splits.csv", rows, ["id", "group", "subset", "fold"])
    found = {"file": "a|b.png", "severity": "warning", "what": "is <i>odd</i>\nand `more`", "setting": "x"}
    write_csv(folder / "data/checks.csv", [found] * 7, list(found))
    test = made_scores(names, 101, intervals) | {"images": 3, "groups": 2}
    test["empty"] = {foreground[-1]: {"images": 2, "false_alarms": 1, "area": 0.0123}}
    test["empty"] |= {name: {"images": 0, "false_alarms": 0, "area": 0.0} for name in foreground[:-1]}
    test["calibration"] = {"ece": 0.0417, "ece_undecided": 0.0523, "brier": 0.0631, "brier_undecided": 0.0747}
    test["decisions"] = {"temperature": 1.37, "dice": {"gain": 0.0123}}
    test["baseline"] = made_scores(names, 102, intervals) | {"largest_class": {names[0]: 0.517}}
    train = {"best_epoch": 3, "epochs": 5, "images": {"train": 6, "validation": 3}, "parameters": 12345, "replicas": 1}
    train |= {name: {"loss": 0.5, "dice": 0.6 + place / 100} for place, name in enumerate(("train", "validation"))}
    train["decisions"] = {"temperature": {"value": 1.37, "gain": 0.0456, "low": 0.01, "high": 0.08}}
    train["precision"] = "bfloat16"
    bounds = {"low": 0.111, "high": 0.222} if intervals else {"low": "", "high": ""}
    scored = [{"class": name, "measure": "dice", "mean": 0.5, "images": 3, "pooled": ""} | bounds for name in names]
    write_csv(folder / "data/evaluation/classes.csv", scored, list(scored[0]))
    reasons = f"missed: nothing of its {names[1]} is found"
    worst = [{"id": i, "group": "g", "dice": 0.25, "worst_class": names[1], "reasons": reasons} for i in ids[9:11]]
    worst.append({"id": ids[11], "group": "g", "dice": "", "worst_class": "", "reasons": "no class to be found"})
    write_csv(folder / "data/evaluation/worst.csv", worst, list(worst[0]))
    write_json(folder / "metrics/test.json", test)
    write_json(folder / "metrics/train.json", train)
    outputs = {"classes": names, "background": 0 if len(names) == 2 else None, "mean": [1.0] * 3, "std": [1.0] * 3}
    plan = {"model.depth": PlannedSetting(value=2, why="too <b>deep</b> | wide")}
    decided = {"decisions": {"temperature": 1.37}, "plan": {k: v.model_dump() for k, v in plan.items()}}
    told = project().model_copy(update={}).model_dump() | outputs | decided
    network = build_unet(PlannedModel(filters=2, depth=2), 3, LabelFormat(len(names)).outputs)
    write_model(folder / "models/unet.keras", network, type(project()).model_validate(told))
    lock(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Kind → folder of a run; made once."""
    kinds = {
        "binary": (["background", "cell"], True),
        "many": (["sky", "cell", "debris"], True),
        "hostile": (HOSTILE, True),
        "without intervals": (["sky", "cell", "debris"], False),
    }
    return {kind: make_run(tmp_path_factory.mktemp("run"), *how) for kind, how in kinds.items()}


@pytest.fixture
def run_of(made, tmp_path):
    """Copies a run, so that a test can damage it."""
    return lambda kind: shutil.copytree(made[kind], tmp_path / "run")


def written(folder, **how):
    return model_card(read_card_sources(folder, run_files(), folder / "models/MODEL_CARD.md"), **how)


def sections(text):
    """Heading → text below it."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cells(section, first):
    """The cells of the row whose first cell is this one."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return next(row for row in rows if row[0] == first)


@pytest.mark.parametrize("kind", ["binary", "many", "hostile", "without intervals"])
def test_the_card_has_all_sections_in_order(made, kind):
    assert [heading for heading in sections(written(made[kind])) if heading != "Model card"] == HEADINGS


@pytest.mark.parametrize("kind", ["binary", "many"])
def test_scores_equal_those_in_the_files(made, kind):
    test, told = read_json(made[kind] / "metrics/test.json"), sections(written(made[kind]))["Scores"]
    mean, colour = cells(told, "mean"), test["baseline"]
    bounds = f"{test['dice']['low']:.3f} – {test['dice']['high']:.3f}"
    shown = [test["dice"]["mean"], colour["dice"]["mean"], test["iou"]["mean"]]
    assert [mean[1], *mean[3:5]] == [f"{value:.3f}" for value in shown] and mean[2] == bounds
    for name, scores in test["classes"].items():
        row, bounds = cells(told, f"<code>{name}</code>"), "0.111 – 0.222"
        shown = [f"{scores['dice']:.3f}", bounds, f"{colour['classes'][name]['dice']:.3f}", f"{scores['iou']:.3f}", "–"]
        shown += [f"{scores['surface_dice']:.3f}", f"{scores['hd95']:.1f}", f"{test['pooled'][name]['dice']:.3f}"]
        assert row[1:] == [*shown, str(scores["images"]), str(scores["groups"])]


def test_missing_intervals_are_shown_as_dashes(made):
    told = sections(written(made["without intervals"]))["Scores"]
    assert {cells(told, name)[2] for name in ("mean", "<code>sky</code>", "<code>cell</code>")} == {"–"}
    assert "no interval" in told


def test_all_other_numbers_equal_those_in_the_files(made):
    folder = made["many"]
    told, train = sections(written(folder)), read_json(folder / "metrics/train.json")
    assert f"{train['parameters']:,} parameters" in told["Model card"]
    assert hashlib.md5((folder / "models/unet.keras").read_bytes()).hexdigest() in told["Model card"]
    assert cells(told["Data"], "images with masks")[1] == "12" and cells(told["Data"], "groups")[1] == "6"
    pixels = [record["pixels"] for record in read_json(folder / "data/prepared/index.json")["images"]]
    share = sum(counts[1] for counts in pixels) / sum(map(sum, pixels))
    assert cells(told["Data"], "<code>cell</code>")[2] == f"{share:.2%}"
    assert cells(told["Data"], "width in pixels")[1] == "50 – 64, median 64"
    assert told["What the checks found"].count("- <code>") == 5 and "7 warning(s)" in told["What the checks found"]
    assert [cells(told["Split"], name)[1] for name in ("train", "validation", "test")] == ["6", "3", "3"]
    assert "Seed of the split: 3. Fold 2 of 5" in told["Split"] and "**Groups in more than one subset" in told["Split"]
    assert cells(told["Plan"], "<code>model.depth</code>")[1] == "2"
    assert f"epoch {train['best_epoch']} of {train['epochs']}" in told["Training"] and "seed 7" in told["Training"]
    assert cells(told["Training"], "validation")[2] == f"{train['validation']['dice']:.3f}"
    assert cells(told["Calibration"], "Brier score")[1:] == ["0.063", "0.075"]
    decided = cells(told["Decisions"], "<code>temperature</code>")
    assert decided[1:] == ["1.37", "yes", "+0.0456", "+0.0100 – +0.0800"]
    assert cells(told["Decisions"], "<code>mirror</code>")[1:] == ["none", "no", "–", "–"]
    assert "on 1 of 2 (1.2 % of their pixels)" in told["Where it fails"]
    assert "The worst of 2 test images" in told["Where it fails"]
    assert all(f"| {name} | {version} |" in told["How to repeat it"] for name, version in versions().items())
    for path in ("data/prepared", "data/splits.csv", "models/unet.keras"):
        assert f"`{md5(folder / path)}`" in told["How to repeat it"]


LITE0 = "Google's EfficientNet-Lite0, converted for PyTorch, from the Python package index; licence: Apache 2.0"
STARTS = {  # model.weights → the words of the card
    "imagenet": f"weights trained on ImageNet ({LITE0}) in the encoder and random weights in the decoder",
    "models/initial/a.h5": "the weights <code>models/initial/a.h5</code> in the encoder and random weights in the "
    "decoder",
    "none": "random weights",
}


def test_the_card_names_an_encoder_its_weights_and_its_scaling(run_of, monkeypatch):
    """The model file is that of a training; metrics/train.json too counts its weights."""
    from src.data.store.store import Store
    from src.model.network.model_file import write_model
    from tests.drawn_weights import write_drawn_weights
    from tests.test_initial import begun

    folder, chosen = run_of("many"), {"model.encoder": "efficientnet_lite0", "data.normalise": "auto"}
    monkeypatch.chdir(folder)
    write_drawn_weights(chosen)
    training = begun(Store(folder / "data/prepared"), folder, **chosen)
    write_model(folder / "models/unet.keras", training.model, training.project)
    count = sum(weight.numpy().size for weight in training.model.weights)
    write_json(folder / "metrics/train.json", read_json(folder / "metrics/train.json") | {"parameters": count})
    for weights, words in STARTS.items():
        lock(folder, model={"encoder": "efficientnet_lite0", "weights": weights})
        told = sections(written(folder))
        assert f"A U-Net with the encoder <code>efficientnet_lite0</code> and {count:,} para" in told["Model card"]
        assert told["Training"].strip().startswith(f"From {words}, seed 7")
    scaling = cells(told["Plan"], "<code>data.normalise</code>")
    assert scaling[1:] == ["encoder", "as the weights of efficientnet_lite0 expect"]
    lock(folder, model={"weights": "imagenet"}, train={"initial": "models/initial/earlier.keras"})
    assert "From <code>models/initial/earlier.keras</code> (fine-tuning), seed 7" in written(folder)


def test_classes_with_the_lowest_dice_are_named_first(made):
    test, told = read_json(made["many"] / "metrics/test.json"), sections(written(made["many"]))["Where it fails"]
    order = sorted(test["classes"], key=lambda name: test["classes"][name]["dice"])
    assert re.findall(r"<code>(\w+)</code> \d", told.splitlines()[2]) == order


def test_a_class_that_no_test_image_holds_is_named(run_of):
    folder = run_of("many")
    index = read_json(folder / "data/prepared/index.json")
    for record in index["images"][9:]:
        record["pixels"][2] = 0
    write_json(folder / "data/prepared/index.json", index)
    lock(folder)
    assert "Not tested: no test image holds <code>debris</code>." in written(folder)
    assert "Not trained" not in written(folder)


def test_use_and_licence_are_to_be_filled_in(made):
    text = written(made["many"])
    assert text.count(TO_FILL_IN) == 2
    text = written(made["many"], use="Counting *cells*.", licence="[CC0](https://e.org)")
    assert TO_FILL_IN not in text and "Counting *cells*." in text and "[CC0](https://e.org)" in text


def test_hostile_names_do_not_act_as_markdown_or_html(made):
    text = written(made["hostile"])
    page = MarkdownIt("commonmark").enable("table").render(text)
    for forbidden in ("<script", "<i>", "<b>", "<a ", "<em>", "href"):
        assert forbidden not in page
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    plain = " ".join(part.content for token in tokens for part in token.children or [])
    for name in HOSTILE:
        assert plain.count(name) >= 3, name
    assert "is <i>odd</i>\\nand `more`" in plain and "too <b>deep</b> | wide" in plain and "data/my|set" in plain
    for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        assert len({row.count("<td") + row.count("<th") - row.count("<thead") for row in table.split("<tr>")[1:]}) == 1
    assert all(line.count("|") == 12 for line in sections(text)["Scores"].splitlines() if line[:1] == "|")
    assert not re.search(r"(?i)www\.|https?://", text.replace("https://e.org", ""))


@pytest.mark.parametrize("name", [str(path) for path in required_files(run_files())])
def test_missing_files_are_refused(run_of, name):
    folder = run_of("many")
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"missing: run dvc repro\n  {re.escape(name)}$"):
        written(folder)


def test_all_files_of_another_run_are_listed_and_refused(run_of):
    folder = run_of("many")
    for name in ("metrics/test.json", "data/evaluation/worst.csv", "models/unet.keras", "data/prepared/images.bin"):
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    with pytest.raises(UserError, match="do not belong together: run dvc repro") as error:
        written(folder)
    wrong = re.findall(r"^  (.*): not the one that stage (\w+) wrote$", str(error.value), re.MULTILINE)
    assert dict(wrong) == {
        "data/prepared": "prepare",
        "models/unet.keras": "train",
        "data/evaluation": "evaluate",
        "metrics/test.json": "evaluate",
    }


@pytest.mark.parametrize(("stage", "name"), [("evaluate", "models/unet.keras"), ("train", "data/splits.csv")])
def test_a_stage_that_read_a_different_file_is_refused(run_of, stage, name):
    folder = run_of("many")
    content = yaml.safe_load((folder / "dvc.lock").read_text())
    next(entry for entry in content["stages"][stage]["deps"] if entry["path"] == name)["md5"] = "0" * 32
    write_yaml(folder / "dvc.lock", content)
    with pytest.raises(UserError, match=f"  {re.escape(name)}: stage {stage} read a different version than"):
        written(folder)


def test_stages_missing_in_dvc_lock_are_named(run_of):
    folder = run_of("many")
    content = yaml.safe_load((folder / "dvc.lock").read_text())
    del content["stages"]["evaluate"]
    write_yaml(folder / "dvc.lock", content)
    with pytest.raises(UserError, match="no run of stage evaluate: run dvc repro"):
        written(folder)
    (folder / "dvc.lock").unlink()
    with pytest.raises(UserError, match="no run of stage prepare, split, train, evaluate"):
        written(folder)


def test_the_card_names_the_revision_and_uncommitted_files(run_of):
    folder = run_of("many")
    out = folder / "models/MODEL_CARD.md"
    assert "**in no Git commit**" in written(folder)

    def git(*command):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=folder, check=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "run")
    commit, rest = revision(folder, out)
    assert re.fullmatch("[0-9a-f]{40}", commit) and rest == [] and f"at Git revision `{commit}`." in written(folder)
    out.write_text("the card itself is no change")
    assert revision(folder, out) == (commit, [])
    (folder / "new|file").write_text("x")
    with (folder / "params.yaml").open("a") as file:
        file.write("\n")
    assert set(revision(folder, out)[1]) == {"new|file", "params.yaml"}
    assert "with uncommitted changes**: " in written(folder) and "new&#124;file" in written(folder)


def test_the_card_names_changed_code_and_settings(run_of):
    folder = run_of("many")
    assert "Changed since the stages ran" not in written(folder)
    content = yaml.safe_load((folder / "dvc.lock").read_text())
    content["stages"]["train"]["deps"].append({"path": "src/model/network/unet.py", "md5": "0" * 32})
    content["stages"]["train"]["deps"].append({"path": "src/data/store", "md5": "0" * 32 + ".dir"})  # a package
    write_yaml(folder / "dvc.lock", content)
    write_yaml(folder / "params.yaml", yaml.safe_load((folder / "params.yaml").read_text()) | {"seed": 8})
    told = "<code>src/data/store</code>, <code>src/model/network/unet.py</code>, <code>params.yaml&#58; seed</code>"
    assert f"**Changed since the stages ran**, so a repeat may differ: {told}." in written(folder)


def test_hashes_of_folders_equal_those_of_dvc(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q"], cwd=tmp_path, check=True)
    for name in ("b/ä.txt", "b-c", "a", "b/.hidden", "b/__pycache__/a.pyc"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text(name)
    (tmp_path / ".dvcignore").write_text(".hidden\n__pycache__\n")
    subprocess.run([*dvc, "add", "-q", "set"], cwd=tmp_path, check=True)
    assert hash_of(tmp_path / "set") == yaml.safe_load((tmp_path / "set.dvc").read_text())["outs"][0]["md5"]
    assert hash_of(tmp_path / "nothing") == ""


def test_a_caveat_stands_beside_the_scores(run_of, monkeypatch):
    folder = run_of("many")
    assert "Warning" not in written(folder)
    monkeypatch.setattr(
        "src.report.run.run_results.split_warning", lambda records, rows: f"Warning: {len(records)} frames."
    )
    parts = sections(written(folder))
    assert "**Warning&#58; 12 frames.**" in parts["Scores"] or "**Warning: 12 frames.**" in parts["Scores"]
    assert "see the warning below Scores" in parts["Model card"]


def test_the_tool_writes_the_card_without_loading_tensorflow(run_of):
    folder = run_of("many")
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tools.card import arguments, main
main(arguments().parse_args([]))
assert not {{"tensorflow", "keras", "cv2", "sklearn", "matplotlib", "pandas"}} & set(sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert (folder / "models/MODEL_CARD.md").read_text() == written(folder)
    assert {path.name for path in (folder / "models").iterdir()} == {"MODEL_CARD.md", "unet.keras"}


def test_a_refused_run_keeps_the_earlier_card(run_of, monkeypatch):
    folder = run_of("many")
    monkeypatch.chdir(folder)
    main(arguments().parse_args([]))
    before = (folder / "models/MODEL_CARD.md").read_bytes()
    (folder / "metrics/test.json").write_text("{}")
    with pytest.raises(UserError):
        main(arguments().parse_args([]))
    assert (folder / "models/MODEL_CARD.md").read_bytes() == before


def test_a_line_break_in_a_finding_survives_the_table(made):
    rows = read_csv(made["hostile"] / "data/checks.csv")
    assert rows[0]["what"].count("\n") == 1


def test_failures_list_false_alarms_of_classes_that_have_some(tmp_path):
    from src.report.card.scores_section import failures_section
    from src.report.run.run_results import read_results

    results = read_results(run_files(), make_run(tmp_path, ["a", "b", "c"]))
    assert "<code>c</code> on 1 of 2" in failures_section(results) and " of 0" not in failures_section(results)
