"""The requirements for GPUs: the same versions, and NVIDIA's libraries."""

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
