"""Every command that the project's texts show is one that exists, with arguments and settings that are accepted."""

import argparse
import runpy
import sys

import pytest

from src.files import parse_yaml, read_yaml
from src.params import Params
from tests.documented import ROOT, commands, settings, with_main

COMMANDS = commands()


class Parsed(Exception):
    """The arguments were taken."""


def test_commands_are_found_in_all_kinds_of_text():
    places = {command.where for command in COMMANDS}
    assert {"README.md", "docs/deploying.md", "benchmarks/recipe.md", "tools/predict.py", "report"} <= places
    assert {f"tools.{name}" for name in with_main("tools")} <= {command.module for command in COMMANDS}
    assert {f"benchmarks.{name}" for name in with_main("benchmarks")} <= {command.module for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_every_documented_command_is_understood(command, monkeypatch):
    folder, name = command.module.split(".")
    assert name in with_main(folder)
    if not command.whole:
        return
    parse = argparse.ArgumentParser.parse_args

    def stop(self, *given, **named):
        try:
            arguments = parse(self, *given, **named)
        except SystemExit as end:
            if end.code != 0:  # 0: --help was asked for and shown
                raise
            arguments = None
        raise Parsed(arguments)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.setattr(sys, "argv", [name, *command.arguments])
    monkeypatch.delitem(sys.modules, command.module, raising=False)
    with pytest.raises(Parsed):
        runpy.run_module(command.module, run_name="__main__")


@pytest.mark.parametrize(("where", "pairs"), list(dict.fromkeys((where, tuple(pairs)) for where, pairs in settings())))
def test_every_documented_setting_is_accepted(where, pairs):
    content = read_yaml(ROOT / "params.yaml")
    for pair in pairs:
        key, _, value = pair.partition("=")
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place[section]
        assert last in place, key
        first = value.partition("(")[2].split(",")[0].rstrip(")") if "(" in value else value  # of a sweep
        place[last] = parse_yaml(first, ROOT / "params.yaml")
    Params.model_validate(content)
