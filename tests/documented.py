"""The commands that the project's texts show: in Markdown, in docstrings and examples of modules, in CI's scripts."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.closure import ROOT

COMMAND = re.compile(r"python -m ((?:stages|tools|benchmarks)\.[a-z_]+)(.*)")
ENDS = {"&&", "||", "|", ">", ";"}
PLACEHOLDER = re.compile(r"[A-Z]{3,}(?<!HEAD)")  # such as FOLDER: the command is a form, not an example
VARIABLES = {"SLURM_ARRAY_TASK_ID": "3"}


@dataclass(frozen=True)
class Command:
    """A command of the project. whole: with all of its arguments, so that it can be parsed."""

    where: str
    module: str
    arguments: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.module} {shlex.join(self.arguments)}"


def texts() -> Iterator[tuple[str, str, bool]]:
    """Where, a line of a text, and whether it is one to be typed as it stands."""
    for path in sorted(ROOT.glob("**/*.md")):
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            yield from _markdown(path)
    for path in sorted([*ROOT.glob(".ci/*"), *ROOT.glob(".github/workflows/*")]):
        yield from ((path.name, line, True) for line in path.read_text().splitlines())
    for folder in ("src", "stages", "tools", "benchmarks"):
        for path in sorted(ROOT.glob(f"{folder}/**/*.py")):
            name = str(path.relative_to(ROOT))
            for line in path.read_text().splitlines():
                if re.match(r"\s+(\w+=\S+ )?python -m ", line):  # an example: what it does stands apart, to the right
                    yield name, re.split(r"\s{2,}", line.strip())[0], True
                yield from ((name, code, False) for code in re.findall(r"`([^`]+)`", line))


def _markdown(path: Path) -> Iterator[tuple[str, str, bool]]:
    name, text = str(path.relative_to(ROOT)), path.read_text().replace("\\\n", " ")
    for number, part in enumerate(re.split(r"^```\w*$", text, flags=re.MULTILINE)):
        if number % 2 and "git worktree add" not in part:  # else they run the code of another commit
            yield from ((name, line, True) for line in part.splitlines())
        elif not number % 2:
            yield from ((name, code, False) for code in re.findall(r"`([^`]+)`", part))


def commands() -> list[Command]:
    """Every command once, in the order of the texts."""
    found = []
    for where, line, typed in texts():
        if (match := COMMAND.search(line)) and "{" not in match[2]:
            arguments = _words(match[2])
            form = any(PLACEHOLDER.fullmatch(word) for word in arguments)
            found.append(Command(where, match[1], arguments, (typed or bool(arguments)) and not form))
    return list(dict.fromkeys(found))


def _words(text: str) -> tuple[str, ...]:
    words: list[str] = []
    try:
        parts = shlex.split(text, comments=True)
    except ValueError:  # the end of a quotation around the command
        parts = text.split()
    for word in parts:
        if word in ENDS:
            break
        words.append(re.sub(r"\$(\w+)", lambda name: VARIABLES.get(name[1], name[1]), word))
    return tuple(words)


def settings() -> Iterator[tuple[str, list[str]]]:
    """Of every `dvc exp run` and every trial of benchmarks.recipe, where it stands and its KEY=VALUE, all together."""
    for where, line, _ in texts():
        for part in re.split(r"&&|--trial", line.partition(" #")[0]):
            try:
                words = shlex.split(part)
            except ValueError:
                continue
            pairs = [word for word in words if re.fullmatch(r"[a-z_]+(\.[a-z_]+)*=\S+", word)]
            if pairs and ("dvc exp run" in part or "benchmarks.recipe" in line):
                yield f"{where}: {part.strip()}", pairs


def with_main(folder: str) -> set[str]:
    """The modules of a folder that can be run."""
    return {path.stem for path in (ROOT / folder).glob("*.py") if '__name__ == "__main__"' in path.read_text()}


def environment(**more: str) -> dict[str, str]:
    """Without the data sets that some tests know: what a user has."""
    return {name: value for name, value in os.environ.items() if name != "SEG_DATASETS"} | more
