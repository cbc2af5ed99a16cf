"""Files of ensembles from elsewhere: what this project would not write is refused, as it is for a single model."""

import json
import zipfile

import numpy as np
import pytest

from src.archive.ensemble import differences, read_archive
from src.archive.members import CONFIG, ENSEMBLE, PROJECT
from src.archive.validate_archive import Archive, validate_archive
from src.errors import UserError
from src.model.network.model_file import read_model, read_models
from src.plan.initial import initial_network
from tests.hostile_archives import LAMBDA
from tests.made_ensemble import member, write_made
from tests.test_predictor import NAMES, project

ABSENT = None
SEEN = ["0123456789abcdef", "fedcba9876543210"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Name → content of the members of an ensemble of two small models; and the file of a single one."""
    path = tmp_path_factory.mktemp("honest") / "ensemble.keras"
    files = write_made(path, [member(1, depth=1), member(2, depth=1, mean=[5.0])], seen=SEEN)
    return unpacked(path), files[0].read_bytes()


def unpacked(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            if content is not ABSENT:
                archive.writestr(name, content)
    return path.read_bytes()


@pytest.fixture
def hostile(tmp_path, honest):
    """Writes the honest file with changes: name of a member → its content, or a function of the honest content."""

    def write(**changes):
        members = dict(honest[0])
        for name, change in changes.items():
            members[name] = change(members.get(name), tmp_path) if callable(change) else change
        packed(tmp_path / "hostile.keras", members)
        return tmp_path / "hostile.keras"

    return write


def test_an_honest_file_passes(hostile, honest):
    found = read_archive(hostile())
    assert [model.name for model in found.ensemble.models] == ["member0", "member1"] and found.ensemble.seen == SEEN
    assert list(found.contents) == [honest[0]["0.keras"], honest[0]["1.keras"]] and honest[1] == found.contents[0]
    assert len(read_models(hostile())) == 2


def test_the_file_of_a_single_model_is_no_ensemble(tmp_path, honest):
    (tmp_path / "unet.keras").write_bytes(honest[1])
    assert isinstance(read_archive(tmp_path / "unet.keras"), Archive) and len(read_models(tmp_path / "unet.keras")) == 1


def test_an_ensemble_is_refused_where_a_single_model_is_needed(hostile):
    path = hostile()
    for read in (validate_archive, read_model, lambda path: initial_network(str(path))):
        with pytest.raises(UserError, match=r"hostile\.keras: .*it is an ensemble, and a single model"):
            read(path)


def stated(**changes):
    """Change ensemble.json."""
    return lambda content, _: json.dumps(json.loads(content) | changes)


def inside(name, change):
    """Change a member of a model: `change` gets its content and returns the new one."""

    def write(content, folder):
        (folder / "model.keras").write_bytes(content)
        members = unpacked(folder / "model.keras")
        members[name] = change(members.get(name))
        return packed(folder / "model.keras", members)

    return write


def lambda_layer(content):
    config = json.loads(content)
    config["config"]["layers"][-1].update(LAMBDA)
    return json.dumps(config)


def described(**changes):
    return lambda content: json.dumps(json.loads(content) | changes)


def compressed(content, folder):
    (folder / "model.keras").write_bytes(content)
    return packed(folder / "model.keras", unpacked(folder / "model.keras"), zipfile.ZIP_DEFLATED)


def too_many(content, folder):
    return stated(models=[{"name": str(number), "recorded": True} for number in range(33)])(content, folder)


ONE, TWO = {"name": "a", "recorded": True}, {"name": "b", "recorded": True}
ATTACKS = [
    ({"run.sh": b"x"}, "'run.sh': none of"),
    ({"../2.keras": b"x"}, r"'\.\./2\.keras': none of"),
    ({"1.keras": ABSENT}, r"1\.keras: missing"),
    ({"1.keras": ABSENT, "2.keras": b"x"}, r"(?s)'2\.keras': none of .*1\.keras: missing"),
    ({f"{number}.keras": b"x" for number in range(2, 40)}, r"'32\.keras': none of"),
    ({PROJECT: b"{}"}, r"'project\.json': none of"),
    ({ENSEMBLE: b"[]"}, "not a JSON object"),
    ({ENSEMBLE: b'{"a": "' + b"x" * 2**24 + b'"}'}, r"ensemble\.json: 16777225 bytes"),
    ({ENSEMBLE: stated(models=[ONE])}, "models"),
    ({ENSEMBLE: stated(models=[ONE, TWO, {"name": "c", "recorded": True}])}, "3 members, the file has 2"),
    ({ENSEMBLE: too_many}, "models"),
    ({ENSEMBLE: stated(models=[ONE, ONE])}, "a name occurs twice"),
    ({ENSEMBLE: stated(models=[ONE | {"name": ""}, TWO])}, "models.0.name"),
    ({ENSEMBLE: stated(run="rm -r /")}, "run: no such key"),
    ({ENSEMBLE: stated(decisions={"threshold": 2.0})}, "decisions.threshold"),
    ({ENSEMBLE: stated(seen=["../../etc/passwd"])}, "seen.0"),
    ({"0.keras": b""}, r"0\.keras: not a model of this project"),
    ({"1.keras": inside(CONFIG, lambda_layer)}, r"1\.keras: not a model of this project: .*'Lambda'"),
    ({"1.keras": inside("assets/run.sh", lambda _: b"x")}, r"(?s)1\.keras: .*'assets/run\.sh': none of"),
    ({"1.keras": inside(PROJECT, described(depth=3))}, "depth: 3, the network has 1"),
    ({"1.keras": inside(PROJECT, described(classes=["b", "a"]))}, "(?s)do not fit together.*classes"),
    (
        {"1.keras": inside(PROJECT, described(dtype="uint16"))},
        r"(?s)do not fit together.*dtype .uint16.; member0",
    ),
    ({"1.keras": compressed}, r"(?s)1\.keras: .*compressed"),
    ({"1.keras": inside("model.weights.h5", lambda content: content[:-100])}, r"1\.keras: .*model\.weights\.h5"),
]


@pytest.mark.parametrize(("changes", "words"), ATTACKS)
def test_other_files_are_refused(hostile, changes, words):
    with pytest.raises(UserError, match=r"(?s)hostile\.keras.*not a model of this project.*") as error:
        read_archive(hostile(**changes))
    assert error.match(words)
    assert all(char.isprintable() or char == "\n" for char in str(error.value))


def test_an_ensemble_within_an_ensemble_is_refused(hostile):
    inner = hostile().read_bytes()
    with pytest.raises(UserError, match=r"(?s)1\.keras: not a model of this project: .*'ensemble\.json': none of"):
        read_archive(hostile(**{"1.keras": inner}))


def test_weights_that_are_not_finite_are_refused(tmp_path):
    members = [member(1, depth=1), member(2, depth=1)]
    weights = members[1].model.get_weights()
    weights[0][0, 0, 0, 0] = np.nan
    members[1].model.set_weights(weights)
    files = write_made(tmp_path / "ensemble.keras", members)
    with pytest.raises(UserError, match=r"ensemble\.keras: 1\.keras: .*NaN or infinite"):
        read_models(tmp_path / "ensemble.keras")
    with pytest.raises(UserError, match=r"member1\.keras: .*NaN or infinite"):
        read_model(files[1])


def test_every_flipped_byte_is_refused_or_harmless(hostile):
    """Refused, or the file is read; never another exception."""
    path = hostile()
    content, rng = path.read_bytes(), np.random.default_rng(0)
    directory = content.index(b"PK\1\2", content.rindex(b'"seen"'))
    for place in [*rng.integers(0, len(content), 40), *rng.integers(directory, len(content), 40)]:
        path.write_bytes(content[:place] + bytes([content[place] ^ rng.integers(1, 256)]) + content[place + 1 :])
        try:
            read_archive(path)
        except UserError as error:
            assert "not a model of this project" in str(error)


def test_every_difference_of_every_model_is_listed():
    wanted = project()
    others = {
        "b": project(classes=NAMES, background=None, shorter_side=64),
        "c": project(mean=[1.0] * 3, std=[1.0] * 3, dtype="uint16"),
        "d": project(depth=3, mean=[1.0], normalise="image", encoder="resnet50"),
        "e": project(classes=["cell", "background"]),
    }
    assert list(differences({"a": wanted} | others)) == [
        "b: classes ['background', 'cell', 'debris']; a: ['background', 'cell']",
        "b: background None; a: 0",
        "b: data.resize 64; a: 0",
        "c: dtype 'uint16'; a: 'uint8'",
        "c: images of 3 channel(s); a: 1",
        "e: classes ['cell', 'background']; a: ['background', 'cell']",
    ]
