"""Requirements beside requirements.txt: the same versions for GPUs and sweeps, nothing heavy for encoders."""

from src.pretrained.sources import REQUIREMENTS, SOURCES
from tests.closure import ROOT


def lines(name: str) -> set[str]:
    return set((ROOT / name).read_text().splitlines())


def test_gpus_get_the_same_versions_and_libraries_of_their_own():
    plain, for_gpus = lines("requirements.txt"), lines("requirements-gpu.txt")
    assert plain <= for_gpus
    more = for_gpus - plain
    assert {line.partition("==")[0] for line in more} >= {"nvidia-cudnn-cu12", "nvidia-cuda-runtime-cu12"}
    assert all(line.startswith("nvidia-") for line in more)


def test_one_version_of_tensorflow_is_asked_for():
    (plain,) = [line.split()[0] for line in lines("requirements.in") if line.startswith("tensorflow")]
    asked = {line.split("#")[0].strip() for line in lines("requirements-gpu.in") if not line.startswith("#")}
    assert asked == {"-r requirements.in", plain.replace("tensorflow", "tensorflow[and-cuda]")}


def test_pretrained_weights_are_one_optional_package_that_the_tests_have_too():
    (package,) = lines("requirements-encoders.txt")
    assert package in lines("tests/requirements.txt") and package not in lines("requirements.txt")
    name = SOURCES["efficientnet_lite0"].place
    assert package.startswith(f"{name}==") and REQUIREMENTS == "requirements-encoders.txt"


def test_a_sweep_adds_only_optuna_and_what_it_needs_in_the_versions_of_the_tests():
    def pinned(name: str) -> set[str]:
        return {line.partition(" ;")[0] for line in lines(name)}

    optional, plain = pinned("requirements-sweep.txt"), pinned("requirements.txt")
    assert optional <= plain | pinned("tests/requirements.txt")
    more = {line.partition("==")[0] for line in optional - plain}
    assert "optuna" in more and more <= {"optuna", "alembic", "colorlog", "mako", "sqlalchemy"}
