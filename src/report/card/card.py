"""How is models/MODEL_CARD.md written? What the model is, what it was made from, how good it is, and where it fails."""

from src.archive.project import Project
from src.pretrained.sources import SOURCES
from src.report.card.data_section import data_section, findings_section, split_section
from src.report.card.scores_section import calibration_section, decisions_section, failures_section, scores_section
from src.report.card.sources import CardSources
from src.report.text.format import ABSENT, number
from src.report.text.markdown import code, markdown_table, names, prose
from src.report.text.summary import score
from src.reproduction.history.provenance import hash_in, versions

TO_FILL_IN = "**To be filled in**"


def model_card(sources: CardSources, use: str | None = None, licence: str | None = None) -> str:
    """Write the card in Markdown.

    Args:
        sources: Content of the run's files.
        use: What the model is meant for, in Markdown; to be filled in if it is missing.
        licence: The licence of the model, in Markdown; to be filled in if it is missing.
    """
    parts = [
        "# Model card",
        _description(sources),
        "## Intended use",
        intended_use(sources.project, sources.files.model.as_posix(), use),
        "## Data",
        data_section(sources.store, sources.splits, sources.params.get("data.source", "")),
        "### What the checks found",
        findings_section(sources.findings, sources.files.checks),
        "## Split",
        split_section(sources.splits, sources.params.get("split", {})),
        "## Plan",
        _plan(sources.project),
        "## Training",
        _training(sources),
        "## Scores",
        scores_section(sources),
        "## Calibration",
        calibration_section(sources.project, sources.test),
        "## Decisions",
        decisions_section(sources.project, sources.train, sources.test),
        "## Where it fails",
        failures_section(sources),
        "## Licence",
        licence_section(licence),
        "## How to repeat it",
        _repeat(sources),
    ]
    return "\n\n".join(parts) + "\n"


def _description(sources: CardSources) -> str:
    project, test, model = sources.project, sources.test, sources.files.model.as_posix()
    dependent = " **The images depend on each other: see the warning below Scores.**" if sources.warning else ""
    encoder = "" if project.encoder == "plain" else f"the encoder {code(project.encoder)} and "
    return (
        f"A U-Net with {encoder}{sources.train['parameters']:,} parameters that {assigns(project)}: "
        f"{names(project.classes)}. "
        f"On {test['images']} test images its mean Dice is {score(test.get('dice', {}))}.{dependent} "
        f"It is one file, `{model}`, MD5 `{hash_in(sources.stages, model)}`.\n\n"
        f"Written by `python -m tools.card` from the files of the run, {_commit(sources)}."
    )


def assigns(project: Project) -> str:
    """Say what a model does with a pixel, as the rest of a sentence."""
    number = len(project.classes)
    if project.overlap:
        return f"decides which of {number} classes every pixel of an image is of, which may be several or none"
    return f"assigns one of {number} classes to every pixel of an image"


def _commit(sources: CardSources) -> str:
    if not sources.commit:
        return "which are **in no Git commit**"
    if sources.uncommitted:
        return f"at Git revision `{sources.commit}` **with uncommitted changes**: {names(sources.uncommitted)}"
    return f"at Git revision `{sources.commit}`"


def intended_use(project: Project, model: str, use: str | None, *, of_run: bool = True) -> str:
    """State what a model is meant for, and for what it is not.

    Args:
        project: The metadata of the model.
        model: Path of its file.
        use: The purpose in Markdown; to be filled in if it is missing.
        of_run: Whether the card also describes the data and the scores of a run.
    """
    data = " (see Data)" if of_run else ""
    images = f"{len(project.mean)} channel(s) of type {project.dtype}"
    lines = [
        f"For images like those it was trained on{data}: {images}, the same kind of objects, acquired and "
        "prepared in the same way. Images with other channels or number types are refused; there is no other warning "
        "of an image that is unlike them.",
        _unknown(project),
        "Not for images of another source before it was scored on a labelled sample of them: "
        f"`python -m tools.score --model {model} --data FOLDER`.",
        "Not a medical device, and not certified for anything. Not for decisions about anyone's health, safety or "
        "rights without a qualified person who looks at the image itself.",
    ]
    if of_run:
        scores = "The scores are those of the test images below and no promise for other images."
        lines.append(f"{scores} Where they are low, or their intervals wide, look at each result.")
    purpose = use or f"{TO_FILL_IN} (`--use TEXT`): what it is meant for, and who is responsible for that."
    return "\n\n".join([purpose, "\n".join(f"- {line}" for line in lines)])


def _unknown(project: Project) -> str:
    """Say what the model does with pixels that show something else than its classes."""
    if project.overlap:
        return "A pixel that shows something else may get any of the classes above: there is no class “unknown”."
    return "Every pixel gets one of the classes above, even if it shows something else: there is no class “unknown”."


def _plan(project: Project) -> str:
    if not project.plan:
        return "The model holds no plan."
    rows = [[code(key), prose(str(setting.value)), prose(setting.why)] for key, setting in project.plan.items()]
    return markdown_table(["setting", "value", "reason"], rows, left=3)


def _training(sources: CardSources) -> str:
    train = sources.train
    measures = list(train["validation"])
    rows = [[name, *(number(train[name].get(measure)) for measure in measures)] for name in ("train", "validation")]
    return (
        f"From {_start(sources)}, seed {sources.params.get('seed', ABSENT)}, convolutions in "
        f"{prose(str(train['precision']))}, on {train['replicas']} device(s). The weights of epoch "
        f"{train['best_epoch']} of {train['epochs']} were kept, the best on validation images:\n\n"
        f"{markdown_table(['of that epoch', *measures], rows)}"
    )


def _start(sources: CardSources) -> str:
    """Name the weights from which training started."""
    initial = sources.params.get("train", {}).get("initial", "none")
    weights = sources.params.get("model", {}).get("weights", "imagenet")  # the default of an older params.yaml
    encoder = sources.project.encoder
    if initial != "none":
        return f"{code(str(initial))} (fine-tuning)"
    if encoder == "plain" or weights == "none":
        return "random weights"
    origin = f"the weights {code(str(weights))}"
    if weights == "imagenet":
        source = SOURCES[encoder]
        origin = f"weights trained on ImageNet ({prose(source.origin)}; licence: {prose(source.licence)})"
    return f"{origin} in the encoder and random weights in the decoder"


def licence_section(licence: str | None) -> str:
    """State the licences of a model and of the code; that of the model is to be filled in if it is missing."""
    model = licence or (
        f"{TO_FILL_IN} (`--licence TEXT`): the licence of this model. It depends on what the owners of the images and "
        "masks allow, which a program cannot know."
    )
    return f"{model}\n\nThe code that trained it is under the MIT licence (`LICENSE`)."


def _repeat(sources: CardSources) -> str:
    source = str(sources.params.get("data.source", ""))
    files = sources.files
    prepared, splits, model = (path.as_posix() for path in (files.prepared, files.splits, files.model))
    hashed = {source: "the data set", prepared: "the prepared data set", splits: "the split", model: "the model"}
    rows = [[code(path), what, f"`{hash_in(sources.stages, path) or ABSENT}`"] for path, what in hashed.items()]
    parts = [f"```bash\ngit checkout {sources.commit or 'REVISION'} && dvc repro\n```"]
    if sources.changed:
        parts.append(f"**Changed since the stages ran**, so a repeat may differ: {names(sources.changed)}.")
    parts.append(markdown_table(["file", "what", "MD5 in dvc.lock"], rows, left=3))
    rows = [[name, version] for name, version in versions().items()]
    parts.append(
        markdown_table(["installed here", "version"], [*rows, ["Keras that saved it", code(sources.keras)]], 2)
    )
    return "\n\n".join(parts)
