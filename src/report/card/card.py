"""models/MODEL_CARD.md: what a model is, what it was made of, how good it is, where it fails, what it is for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.archive.members import METADATA, read_members
from src.archive.project import Project
from src.archive.validate_archive import checked
from src.data.splits.split_warnings import split_warning
from src.data.store.store import Store
from src.errors import UserError, listing
from src.files import read_csv, read_json
from src.report.card.data_section import data_section, findings_section, split_section
from src.report.card.scores_section import calibration_section, decisions_section, failures_section, scores_section
from src.report.text.markdown import code, markdown_table, names, prose
from src.report.text.summary import number, score
from src.reproduction.history.lock import Lock
from src.reproduction.history.provenance import (
    changed_since,
    hash_in,
    parameters,
    read_stages,
    require_same_run,
    revision,
    versions,
)

MODEL, TRAIN, TEST = "models/unet.keras", "metrics/train.json", "metrics/test.json"
PREPARED, CHECKS, SPLITS = "data/prepared", "data/checks.csv", "data/splits.csv"
CLASSES, WORST = "data/evaluation/classes.csv", "data/evaluation/worst.csv"
FILES = (MODEL, TRAIN, TEST, f"{PREPARED}/index.json", CHECKS, SPLITS, CLASSES, WORST)
TO_FILL_IN = "**To be filled in**"
Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Sources:
    """All that a card is made of.

    project: of the model; keras: the version that saved it; train, test: the metrics; classes, worst, findings, splits:
    the rows of the tables; stages: of dvc.lock; params: the settings of the run; commit, uncommitted: see `revision`;
    changed: see `changed_since`.
    """

    project: Project
    keras: str
    store: Store
    train: Mapping[str, Any]
    test: Mapping[str, Any]
    classes: Rows
    worst: Rows
    findings: Rows
    splits: Rows
    stages: Lock
    params: Mapping[str, Any]
    commit: str
    uncommitted: Sequence[str]
    changed: Sequence[str]

    @classmethod
    def read(cls, root: Path, out: Path) -> "Sources":
        """Those of the project at `root`, for a card at `out`; `UserError` if they are not all there and of one run."""
        if missing := [name for name in FILES if not (root / name).is_file()]:
            raise UserError(f"a model card tells of files that are missing: run dvc repro\n{listing(missing)}")
        stages = read_stages(root)
        require_same_run(root, stages)
        tables = {"classes": CLASSES, "worst": WORST, "findings": CHECKS, "splits": SPLITS}
        commit, uncommitted = revision(root, out)
        return cls(
            project=checked(root / MODEL),
            keras=str(json.loads(read_members(root / MODEL)[METADATA]).get("keras_version", "–")),
            store=Store(root / PREPARED),
            train=read_json(root / TRAIN),
            test=read_json(root / TEST),
            **{name: read_csv(root / path) for name, path in tables.items()},
            stages=stages,
            params=parameters(stages),
            commit=commit,
            uncommitted=uncommitted,
            changed=changed_since(root, stages),
        )


def card(sources: Sources, use: str | None = None, licence: str | None = None) -> str:
    """The card in Markdown; use, licence: texts of whoever answers for the model, in Markdown."""
    warning = split_warning(sources.store.records, sources.splits)
    parts = [
        "# Model card",
        _what(sources, warning),
        "## Intended use",
        _use(sources.project, use),
        "## Data",
        data_section(sources.store, sources.splits, sources.params.get("data.source", "")),
        "### What the checks found",
        findings_section(sources.findings),
        "## Split",
        split_section(sources.splits, sources.params.get("split", {})),
        "## Plan",
        _plan(sources.project),
        "## Training",
        _training(sources),
        "## Scores",
        scores_section(sources.test, sources.classes, sources.store.dataset.length_unit, warning),
        "## Calibration",
        calibration_section(sources.test),
        "## Decisions",
        decisions_section(sources.project, sources.train, sources.test),
        "## Where it fails",
        failures_section(sources.test, sources.worst, sources.store, sources.splits),
        "## Licence",
        _licence(licence),
        "## How to repeat it",
        _repeat(sources),
    ]
    return "\n\n".join(parts) + "\n"


def _what(sources: Sources, warning: str) -> str:
    project, test = sources.project, sources.test
    dependent = " **The images depend on each other: see the warning below Scores.**" if warning else ""
    return (
        f"A U-Net with {sources.train['parameters']:,} parameters that gives every pixel of an image one of "
        f"{len(project.classes)} classes: {names(project.classes)}. On {test['images']} test images its mean Dice is "
        f"{score(test.get('dice', {}))}.{dependent} It is one file, `{MODEL}`, MD5 "
        f"`{hash_in(sources.stages, MODEL)}`.\n\n"
        f"Written by `python -m tools.card` from the files of the run, {_commit(sources)}."
    )


def _commit(sources: Sources) -> str:
    if not sources.commit:
        return "which **no Git commit holds**"
    if sources.uncommitted:
        return (
            f"at Git revision `{sources.commit}` **with changes that it does not hold**: {names(sources.uncommitted)}"
        )
    return f"at Git revision `{sources.commit}`"


def _use(project: Project, use: str | None) -> str:
    images = f"{len(project.mean)} channel(s) of type {project.dtype}"
    lines = [
        f"For images like those it was trained on (see Data): of {images}, of the same kind of things, taken and "
        "prepared in the same way. Other channels and number types are refused; nothing else warns of an image that "
        "is unlike them.",
        "Every pixel gets one of the classes above, also where something else is to be seen: there is no “unknown”.",
        "Not for images of another source before it was scored on a labelled sample of them: "
        f"`python -m tools.score --model {MODEL} --data FOLDER`.",
        "Not a medical device, and certified for nothing. Not to decide about anyone's health, safety or rights "
        "without a qualified person who looks at the image itself.",
        "Scores are of the test images below and no promise for others. Where they are low, or the intervals wide, "
        "look at each result.",
    ]
    told = use or f"{TO_FILL_IN} (`--use TEXT`): what it is meant for, and who answers for that."
    return "\n\n".join([told, "\n".join(f"- {line}" for line in lines)])


def _plan(project: Project) -> str:
    if not project.plan:
        return "The model holds no plan."
    rows = [[code(key), prose(str(setting.value)), prose(setting.why)] for key, setting in project.plan.items()]
    return markdown_table(["setting", "value", "reason"], rows, left=3)


def _training(sources: Sources) -> str:
    train, asked = sources.train, sources.params.get("train", {})
    initial = asked.get("initial", "none")
    begun = "random weights" if initial == "none" else f"{code(str(initial))} (fine-tuning)"
    measures = list(train["validation"])
    rows = [[name, *(number(train[name].get(measure)) for measure in measures)] for name in ("train", "validation")]
    return (
        f"From {begun}, seed {sources.params.get('seed', '–')}, convolutions in {prose(str(train['precision']))}, on "
        f"{train['replicas']} device(s). Kept is epoch {train['best_epoch']} of {train['epochs']}, the best on "
        f"validation images:\n\n{markdown_table(['of that epoch', *measures], rows)}"
    )


def _licence(licence: str | None) -> str:
    model = licence or (
        f"{TO_FILL_IN} (`--licence TEXT`): the licence of this model. It depends on what the owners of the images and "
        "masks allow, which no program can tell."
    )
    return f"{model}\n\nThe code that trained it is under the MIT licence (`LICENSE`)."


def _repeat(sources: Sources) -> str:
    source = str(sources.params.get("data.source", ""))
    hashes = {source: "the data set", PREPARED: "the prepared data set", SPLITS: "the split", MODEL: "the model"}
    rows = [[code(path), what, f"`{hash_in(sources.stages, path) or '–'}`"] for path, what in hashes.items()]
    parts = [f"```bash\ngit checkout {sources.commit or 'REVISION'} && dvc repro\n```"]
    if sources.changed:
        parts.append(f"**Not as it was when the stages ran**, so a repeat may differ: {names(sources.changed)}.")
    parts.append(markdown_table(["file", "what", "MD5 in dvc.lock"], rows, left=3))
    rows = [[name, version] for name, version in versions().items()]
    parts.append(
        markdown_table(["installed here", "version"], [*rows, ["Keras that saved it", code(sources.keras)]], 2)
    )
    return "\n\n".join(parts)
