"""Changes of model files that must be refused; see the fixtures `members` and `hostile`."""

import json

import pytest

from src.archive.members import CONFIG
from src.archive.validate_archive import validate_archive
from src.errors import UserError

REFUSED = r"(?s)^.*hostile\.keras: not a model of this project: "
LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None}


def refused(path, words):
    with pytest.raises(UserError, match=REFUSED + words) as error:
        validate_archive(path)
    assert all(char.isprintable() or char == "\n" for char in str(error.value))


def changed(members, change):
    """config.json after change(its layers by name)."""
    config = json.loads(members[CONFIG])
    layers = {layer["name"]: layer for layer in config["config"]["layers"]}
    change(layers)
    return {CONFIG: json.dumps(config)}
