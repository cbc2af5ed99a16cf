"""Write docs/settings.md: every key of params.yaml with its default, its allowed values, its meaning and its readers.

The meaning is the comment on the key's line in params.yaml, the allowed values are those of the models in
src/params.py, and the readers are the stages whose `params` in dvc.yaml name the key. Run it after a change of any of
the three; a test compares the committed page with what it writes.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import parser, run

PARAMS, PIPELINE, PAGE = Path("params.yaml"), Path("dvc.yaml"), Path("docs/settings.md")
SHOWS_ALL = "visualize"  # lists every parameter on the report page, which is no use of one
LINE = re.compile(r"(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*?)\s*(?:# (?P<comment>.*))?")
HEAD = """\
# Which settings are there?

<!-- Written by `python -m tools.settings` from params.yaml, src/params.py and dvc.yaml. Do not edit it by hand. -->

All settings are in [params.yaml](../params.yaml). Edit the file and run `dvc repro`, or change settings for one
experiment:

```bash
dvc exp run -S train.lr=1e-4 -S train.steps=2000
```

A stage checks the whole file before it does any work. An unknown key, a wrong type or a value out of range stops it.
The message names the key and what is allowed.

- **Default** is the value in the committed `params.yaml`.
- **auto** means that the plan chooses the value from the training images. `python -m tools.plan` prints each value with
  its reason ([training.md](training.md#the-plan)).
- **Read by** names the stages that read the key; they and the stages after them run again after a change. The visualize
  stage runs after every change, since the report page lists all settings.
- After a change of a comment in `params.yaml`, of `src/params.py` or of `params` in `dvc.yaml`, write this page again:
  `python -m tools.settings`.
"""


@dataclass(frozen=True)
class Setting:
    """One line of params.yaml.

    Attributes:
        key: name with its sections, such as `train.lr`.
        value: as it is written; empty for a section.
        meaning: the comment on the line.
    """

    key: str
    value: str
    meaning: str


def read_settings(text: str) -> Iterator[Setting]:
    """Every key of params.yaml in its order, sections included; `text` is the file's content."""
    sections: list[str] = []
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if found:
            sections = [*sections[: len(found["indent"]) // 2], found["key"]]
            yield Setting(".".join(sections), found["value"].strip(), found["comment"] or "")


def allowed_values(schema: Mapping[str, object], key: str) -> str:
    """What the models of src/params.py allow for a key, in words; `schema` is their JSON schema."""
    place: object = schema
    for name in key.split("."):
        place = _follow(schema, place, "properties", name)
    return _words(place)


def _follow(schema: object, place: object, *path: str) -> object:
    for name in path:
        assert isinstance(place, Mapping)
        if "$ref" in place:
            place = _follow(schema, schema, *str(place["$ref"]).removeprefix("#/").split("/"))
            assert isinstance(place, Mapping)
        place = place[name]
    return place


def _words(field: object) -> str:
    assert isinstance(field, Mapping)
    if "oneOf" in field:
        return " or ".join(_words(part) for part in field["oneOf"])
    if "const" in field or "enum" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field["type"] == "object":
        return f"a mapping to {_words(field['additionalProperties'])}"
    if field["type"] in ("boolean", "string"):
        return "`true` or `false`" if field["type"] == "boolean" else "text"
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high, below = field.get("maximum"), field.get("exclusiveMaximum")
    bounds = [f"from {low}"] if low is not None else [f"above {above}"] if above is not None else []
    bounds += [f"to {high}"] if high is not None else [f"below {below}"] if below is not None else []
    return " ".join(["whole number" if field["type"] == "integer" else "number", *bounds])


def readers(stages: Mapping[str, Mapping[str, object]], key: str) -> list[str]:
    """The stages whose `params` name the key or a section that holds it."""
    found = []
    for stage, declared in stages.items():
        names = declared.get("params", [])
        assert isinstance(names, list)
        if any(key == name or key.startswith(f"{name}.") for name in names):
            found.append(stage)
    return [stage for stage in found if stage != SHOWS_ALL] or found


def page(text: str, schema: Mapping[str, object], stages: Mapping[str, Mapping[str, object]]) -> str:
    """The whole page in Markdown.

    Args:
        text: content of params.yaml.
        schema: JSON schema of `src.params.Params`.
        stages: the section `stages` of dvc.yaml.
    """
    settings = list(read_settings(text))
    parents = {one.key.rpartition(".")[0] for one in settings}
    lines, section = [HEAD.rstrip()], ""
    for one in settings:
        top = one.key.partition(".")[0]
        if top != section:
            section = top
            about = f" {one.meaning[:1].upper()}{one.meaning[1:]}." if one.key in parents and one.meaning else ""
            lines += ["", f"## {top}", *(["", about.strip()] if about else []), ""]
            lines += ["| Key | Default | Allowed | Read by | Meaning |", "| --- | --- | --- | --- | --- |"]
        if one.key in parents:
            if one.key != top and one.meaning:
                lines.append(_row(f"`{one.key}`", "section", "", "", one.meaning))
            continue
        read_by = ", ".join(readers(stages, one.key))
        lines.append(_row(f"`{one.key}`", f"`{one.value}`", allowed_values(schema, one.key), read_by, one.meaning))
    return "\n".join([*lines, ""])


def _row(*cells: str) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def main(_: argparse.Namespace) -> None:
    from src.files import read_text, read_yaml, write_text
    from src.params import Params

    stages = read_yaml(PIPELINE)["stages"]
    write_text(PAGE, page(read_text(PARAMS), Params.model_json_schema(), stages))
    print(PAGE)


if __name__ == "__main__":
    run(parser("settings", __doc__), main)
