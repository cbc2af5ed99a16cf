"""Plans are sensible for every kind of data, stay below the memory limit, and keep settings by hand."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from src.data.store.subsets import Subset
from src.errors import UserError
from src.params import PlannedModel
from src.plan.class_weights import LossWeights, class_weights
from src.plan.facts import Facts, exposure, used_range
from src.plan.initial import Initial
from src.plan.memory import GIB, TrainingSize, peak_bytes
from src.plan.plan import BY_HAND, plan_network, plan_training
from src.plan.rules import training as rules
from tests.conftest import NUMBERS, changed_params, planned, prepared, write_data_set, write_pair

AUTO = dict.fromkeys(NUMBERS, "auto")


def facts(images=60, height=256, width=256, channels=3, classes=2, rare=(), spread=0.3, validated=None, parts=()):
    names = [f"class {number}" for number in range(classes)]
    sizes = [(height, width)]
    subsets = sizes * images, sizes * (validated or max(images // 3, 1))
    return Facts(*subsets, channels, names, rare, spread, dict(parts), shares=[1 / classes] * classes)


def plan(found, **changes):
    chosen = changed_params(**(AUTO | changes))
    return plan_training(found, chosen.data, chosen.augment, chosen.model, chosen.train)


SHAPES = {
    "few and small": facts(12, 128, 128, 1),
    "many and small": facts(12_000, 128, 128, 3),
    "few and large": facts(12, 4000, 4000, 3),
    "many and large": facts(12_000, 4000, 4000, 3, 5, ("class 3",)),
    "eight channels": facts(60, 512, 512, 8),
    "stamps": facts(60, 16, 16, 1),
    "strips": facts(60, 2000, 100, 1),
    "one enormous image": facts(1, 30_000, 30_000, 3, validated=1),
    "hundred classes": facts(60, 512, 512, 3, 100),
    "single pixels": facts(5, 1, 1, 1),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gib", [1.5, 8.0])
def test_every_kind_of_data_set_gets_a_sensible_plan(shape, gib):
    found = SHAPES[shape]
    made = plan(found, **{"train.memory_gib": gib})
    crop, depth, batch = made.data.crop, made.model.depth, made.train.batch
    needed = peak_bytes(TrainingSize.of(found, made.model, crop=crop, batch=batch))
    assert needed <= gib * GIB
    assert crop % 2**depth == 0 and crop // 2**depth >= 2 and batch >= 2
    assert crop <= max(found.side + 2**depth, 16)  # not much more than what the images show
    assert 1 <= made.train.epochs <= made.train.steps and 500 <= made.train.steps <= 30_000
    assert 1e-4 <= made.train.lr <= 1e-2 and 0 < made.train.warmup <= 0.5
    assert (made.data.oversample_rare > 0) == bool(found.rare)
    assert [key for key, choice in made.choices.items() if not choice.why] == []
    assert set(made.numbers) == set(NUMBERS)


def test_more_data_is_trained_on_for_longer_up_to_a_limit():
    steps = [plan(facts(images)).train.steps for images in (2, 20, 200, 2_000, 20_000)]
    assert steps == sorted(steps) and steps[0] == rules.FEWEST_STEPS and steps[-1] == rules.MOST_STEPS
    assert len(set(steps)) >= 3


def test_less_memory_reduces_the_batch_then_the_patch_then_the_filters():
    large = facts(60, 128, 128, 3, 60)
    plans = [plan(large, **{"train.memory_gib": gib}) for gib in np.geomspace(2, 0.9, 300)]
    sizes = [(made.model.filters, made.data.crop, made.train.batch * made.data.crop**2) for made in plans]
    assert len(set(sizes)) >= 4
    for more, less in itertools.pairwise(sizes):
        assert less <= more  # in this order
    assert "train.memory_gib (0.9)" in str(plans[-1])


def test_validation_takes_a_small_share_of_the_work():
    for validated in (1, 20, 200):
        found = facts(60, 512, 512, validated=validated)
        made = plan(found)
        work = made.train.steps * made.train.batch * made.data.crop**2
        cost = made.train.epochs * rules.PREDICTING * made.train.validation_images * 512**2
        assert cost <= rules.VALIDATION * work or made.train.epochs == 1
    assert plan(facts(validated=1)).train.epochs == rules.MOST_EPOCHS


@pytest.mark.parametrize(
    ("found", "steps", "validated", "epochs"),
    [
        (facts(120, validated=33), 2800, 33, 20),  # the bundled sample: all of them
        (facts(16, 960, 999, validated=4), 5380, 4, 20),
        (facts(12_000, validated=4_000), 20_000, 506, 20),
        (facts(3_000, 1024, 2048, validated=500), 20_000, 16, 19),  # 16 even if that is too many
        (facts(600, 4000, 4000, validated=200), 20_000, 16, 2),
        (facts(1, 30_000, 30_000, validated=1), 20_000, 1, 1),
    ],
)
def test_training_validates_on_as_many_images_as_it_can_afford(found, steps, validated, epochs):
    made = plan(found, **{"train.steps": steps})
    assert (made.train.validation_images, made.train.epochs) == (validated, epochs)
    why = made.choices["train.validation_images"].why
    assert (
        why == "all there are"
        if validated == len(found.validation_sizes)
        else f"of {len(found.validation_sizes):,}: " in why
    )


def test_fewer_epochs_leave_time_for_more_images():
    many = facts(12_000, validated=4_000)
    some, all_of_them = (plan(many, **{"train.epochs": epochs}).train.validation_images for epochs in (5, 1))
    assert 506 < some < all_of_them == 4_000
    assert (
        plan(many, **{"train.validation_images": 3_000}).train.epochs
        == plan(many, **{"train.validation_images": 3_001}).train.epochs
    )
    few = facts(100, validated=30)
    by_hand, number = plan(few, **{"train.validation_images": 10**6}), plan(few).train
    assert by_hand.train.epochs == number.epochs and by_hand.train.validation_images == 10**6


@pytest.mark.parametrize(
    ("height", "width", "parts", "side"),
    [
        (2000, 3000, {"lesion": 1 / 2}, 96),  # half of it are the 48 pixels that half a crop shows
        (2000, 3000, {"organ": 1 / 2, "vessel": 0.006}, 0),  # the thin ones would be lost
        (377, 500, {"pet": 137 / 377, "border": 14 / 377}, 128),  # the border is left nearly five pixels
        (375, 500, {"far": 0.08, "near": 0.2, "nearer": 0.4}, 240),  # most are whole, the smallest small
        (360, 480, {"pole": 0.0125, "car": 0.2, "road": 0.5}, 0),  # poles would be left three
        (600, 800, {"polyp": 1 / 3}, 144),
        (256, 256, {"cell": 0.23}, 0),  # nearly whole as it is
        (256, 256, {"face": 0.3125}, 160),
        (128, 128, {"digit": 4}, 96),  # never smaller than a crop
        (2000, 100, {"seam": 0.6}, 0),  # nearly whole as it is
        (12_000, 600, {"seam": 0.6}, 96),  # long images keep their aspect ratio
        (30_000, 30_000, {"field": 0.007}, 0),  # all of it would lie in memory
        (1000, 1000, {"sky": math.inf}, 0),
        (1000, 1000, {}, 0),
    ],
)
def test_images_are_resized_if_their_parts_do_not_fit_into_a_patch(height, width, parts, side):
    made = plan(facts(60, height, width, parts=parts))
    assert made.data.resize == made.facts.resize == side
    assert made.data.crop <= (side or max(height, width)) and side % 2**made.model.depth == 0
    assert made.facts.side == (side or min(height, width))
    by_hand = plan(facts(60, height, width, parts=parts), **{"data.resize": 64})
    assert by_hand.data.resize == 64 and by_hand.choices["data.resize"].why == BY_HAND


def test_a_larger_patch_needs_less_resizing():
    found = facts(60, 600, 800, parts={"polyp": 1 / 3})
    for crop, side in (("auto", 144), (48, 64), (256, 384), (512, 0)):
        assert plan(found, **{"data.crop": crop}).data.resize == side


def test_validation_of_resized_images_counts_the_work_at_their_own_resolution():
    """That takes most of the time, so as many are validated as of images with a ninth of their pixels."""
    smaller, small = (
        plan(facts(4_000, side, side, validated=1_000), **{"data.resize": resize, "train.steps": 10_000})
        for side, resize in ((2_400, 96), (830, 0))
    )
    assert 16 < smaller.train.validation_images == pytest.approx(small.train.validation_images, rel=0.05)


def test_an_odd_number_of_steps_is_validated_as_often_as_an_even_one():
    odd, even = (plan(facts(700), **{"train.steps": steps}).train.epochs for steps in (997, 1000))
    assert odd == even > 1


@pytest.mark.parametrize("side", [16, 24, 40, 56, 80, 88, 128])
def test_two_four_and_eight_devices_can_share_a_batch(side):
    assert plan(facts(60, side, side)).train.batch % 8 == 0


@pytest.mark.parametrize(("key", "value"), NUMBERS.items())
def test_settings_by_hand_are_kept_and_marked(key, value):
    made = plan(facts(60, 512, 512), **{key: value})
    assert made.numbers[key] == value
    assert [key for key, choice in made.choices.items() if choice.why == BY_HAND] == [key]


@pytest.mark.parametrize(("crop", "depth"), [(128, 4), (100, 2), (24, 2), (72, 3), (16, 1)])
def test_the_depth_fits_a_crop_that_is_set(crop, depth):
    assert plan(facts(), **{"data.crop": crop}).model.depth == depth


@pytest.mark.parametrize("depth", [6, 7])
def test_a_pretrained_encoder_refuses_a_depth_that_it_does_not_have(depth):
    with pytest.raises(UserError, match=rf"model\.depth \({depth}\): vgg16 halves the resolution 5 times at most"):
        plan(facts(), **{"model.encoder": "vgg16", "model.depth": depth})
    assert plan(facts(), **{"model.encoder": "vgg16", "model.depth": 5}).model.depth == 5


@pytest.mark.parametrize(("depth", "crop"), [(1, 96), (5, 96), (7, 256)])
def test_the_crop_fits_a_depth_that_is_set(depth, crop):
    assert plan(facts(), **{"model.depth": depth}).data.crop == crop


def test_images_that_would_be_enlarged_beyond_memory_are_refused_before_any_work():
    sizes = [(1000, 1000), (100, 30_000), (60, 9_000), (100, 30_000)]
    found = replace(facts(), training_sizes=sizes[:2], validation_sizes=sizes[1:])
    assert plan(found, **{"data.resize": 900}).data.resize == 900
    with pytest.raises(UserError, match=r"images of 2048 × 307200, 2048 × 614400, more than .* pixels: lower it"):
        plan(found, **{"data.resize": 2048})


def test_contradictions_are_refused():
    with pytest.raises(UserError, match=r"data\.crop \(17\) must be a multiple of 2"):
        plan(facts(), **{"data.crop": 17})
    with pytest.raises(UserError, match="comes down to one pixel"):
        plan(facts(), **{"data.crop": 16, "model.depth": 4, "train.batch": 1})


def test_few_steps_have_few_epochs():
    assert plan(facts(validated=1), **{"train.steps": 3}).train.epochs <= 3


def test_exposures_that_cannot_be_compared_are_normalised_by_image(store):
    assert plan(facts(spread=0.5)).data.normalise == "dataset"
    assert plan(facts(spread=100.0)).data.normalise == "image"
    pixels = [np.sqrt(np.array(store.image(index), float)).reshape(-1, 3) for index in range(len(store))]
    between = np.std([image.mean(axis=0) for image in pixels], axis=0)
    within = np.sqrt(np.mean([image.var(axis=0) for image in pixels], axis=0))
    assert exposure(store.records) == pytest.approx((between / within).max(), rel=1e-3)


def test_exposure_ignores_images_without_counted_pixels_or_contrast(store):
    ignored = replace(store.records[0], pixels=[0, 0, 0], mean=[0.0] * 3, std=[0.0] * 3)
    assert exposure([*store.records, ignored]) == exposure(store.records)
    flat = [
        replace(record, mean=[value] * 3, std=[7e-5] * 3)
        for record, value in zip(store.records, (500, 600), strict=False)
    ]
    assert exposure(flat) == 0


def test_facts_are_measured_on_training_images_only(store):
    found = Facts.of(Subset.ungrouped(store, [0, 1]), Subset.ungrouped(store, [2]))
    assert found.training_sizes == [(48, 64), (70, 50)] and found.validation_sizes == [(64, 64)]
    assert (found.side, found.pixels) == (49, 48 * 64 + 70 * 50)
    shown = replace(found, resize=32)
    assert (shown.side, shown.pixels) == (32, 32 * 43 + 45 * 32)
    assert Facts.of(Subset.ungrouped(store, [0]), Subset.ungrouped(store, [1])) == Facts.of(
        Subset.ungrouped(store, [0]), Subset.ungrouped(store, [4])
    )  # sizes repeat every three images


def test_the_printed_plan_has_every_setting_with_its_reason(tmp_path):
    store = prepared(write_data_set(tmp_path / "set"), tmp_path)
    made = planned(changed_params(**AUTO), Subset.ungrouped(store, range(8)), Subset.ungrouped(store, range(8, 12)))
    assert made.data.crop >= 48 and made.model.depth >= 2
    for key, choice in made.choices.items():
        assert f"{key} " in str(made) and choice.why in str(made)


def test_an_initial_network_decides_its_shape():
    found = replace(facts(), initial=Initial(PlannedModel(filters=24, depth=3), 0))
    made = plan(found)
    assert made.model == PlannedModel(filters=24, depth=3) and made.data.resize == 0
    assert plan(replace(found, initial=Initial(PlannedModel(filters=24, depth=3), 160))).data.resize == 160
    assert made.train.lr < plan(facts()).train.lr
    chosen = changed_params(**(AUTO | {"model.filters": 16}))
    with pytest.raises(UserError, match=r"set to auto model\.filters \(16; it has 24\)"):
        plan_network(found, chosen.data, chosen.augment, chosen.model, 8.0)


@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "vgg16"])
def test_a_pretrained_encoder_gets_patches_that_it_can_halve_five_times(encoder):
    made = plan(facts(60, 360, 480), **{"model.encoder": encoder})
    assert (made.model.depth, made.data.crop, made.train.batch) == (5, 192, 4)
    assert made.data.normalise == "encoder" and made.model.filters == 16
    small = plan(facts(60, 100, 100), **{"model.encoder": encoder})
    assert small.data.crop % 2**small.model.depth == 0 and small.data.crop >= 100


@pytest.mark.parametrize(("encoder", "levels"), [("efficientnet_lite0", 5), ("plain", 4)])
def test_a_patch_that_makes_the_network_less_deep_is_said(encoder, levels):
    chosen = {crop: plan(facts(), **{"model.encoder": encoder, "data.crop": crop}) for crop in (200, 224)}
    assert (chosen[200].model.depth, chosen[224].model.depth) == (3, levels)
    expected = f"data.crop (200) can be halved only 3 times; a multiple of {2**levels} would allow {levels} levels"
    assert chosen[200].choices["model.depth"].why == expected
    assert "data.crop" not in chosen[224].choices["model.depth"].why


def test_images_are_scaled_as_an_encoder_expects_only_where_that_is_known():
    of = {"model.encoder": "efficientnet_lite0"}
    assert plan(facts(60), **of, **{"model.weights": "none"}).data.normalise == "dataset"
    assert plan(replace(facts(60), dtype="float32"), **of).data.normalise == "dataset"
    for found, changes in ((facts(60), {}), (replace(facts(60), dtype="float32"), of)):
        with pytest.raises(UserError, match=r"data\.normalise: encoder: "):
            plan(found, **changes, **{"data.normalise": "encoder"})


@pytest.mark.parametrize(
    ("dtype", "bits", "expected"),
    [
        ("uint16", 16, "encoder"),
        ("uint16", 12, "dataset"),
        ("uint8", 8, "encoder"),
        ("uint8", 6, "encoder"),
        ("uint8", 4, "dataset"),
    ],
)
def test_images_that_an_encoder_would_see_nearly_black_are_standardised(tmp_path, dtype, bits, expected):
    rng = np.random.default_rng(0)
    for number in range(12):
        mask = rng.integers(0, 2, (48, 64)).astype(np.uint8)
        write_pair(tmp_path / "set", f"{number}", rng.integers(0, 2**bits, (48, 64, 3)).astype(dtype), mask)
    store = prepared(tmp_path / "set", tmp_path)
    found = Facts.of(Subset.ungrouped(store, range(8)), Subset.ungrouped(store, range(8, 12)))
    made = plan(found, **{"model.encoder": "efficientnet_lite0"})
    assert made.data.normalise == expected
    assert ("nearly black" in made.choices["data.normalise"].why) == (expected == "dataset")
    assert "black" not in plan(found).choices["data.normalise"].why  # the plain encoder's weights have seen nothing
    by_hand = plan(found, **{"model.encoder": "efficientnet_lite0", "data.normalise": "encoder"})
    assert by_hand.data.normalise == "encoder"
    earlier = replace(found, initial=Initial(PlannedModel(encoder="efficientnet_lite0", filters=16, depth=5), 0, True))
    assert plan(earlier, **{"model.encoder": "efficientnet_lite0"}).data.normalise == "encoder"


def test_the_range_in_use_follows_from_the_roots_of_the_intensities(store):
    roots = np.concatenate([np.sqrt(np.array(store.image(index), float)).reshape(-1, 3) for index in range(len(store))])
    expected = ((roots.mean(axis=0) + 2 * roots.std(axis=0)) ** 2).max() / 255
    assert used_range(store.records, "uint8") == pytest.approx(expected, rel=1e-3)
    assert used_range(store.records, "float32") == 1.0
    assert used_range([replace(record, pixels=[0, 0, 0]) for record in store.records], "uint8") == 1.0


@pytest.mark.parametrize("weights", ["none", "imagenet"])
@pytest.mark.parametrize("encoder_scaling", [True, False])
def test_an_initial_network_with_an_encoder_keeps_the_scaling_that_it_was_trained_with(weights, encoder_scaling):
    earlier = Initial(PlannedModel(encoder="efficientnet_lite0", filters=16, depth=5), 0, encoder_scaling)
    made = plan(replace(facts(), initial=earlier), **{"model.encoder": "efficientnet_lite0", "model.weights": weights})
    assert (made.data.normalise == "encoder") == encoder_scaling


def test_a_larger_patch_of_an_encoder_shows_large_objects_at_full_resolution():
    found = facts(60, 600, 800, parts={"polyp": 1 / 5})
    assert plan(found).data.resize == 240
    assert plan(found, **{"model.encoder": "efficientnet_lite0"}).data.resize == 0


def test_the_rate_is_higher_where_a_trained_encoder_learns_more_slowly():
    encoder = {"model.encoder": "efficientnet_lite0"}
    rates = [
        plan(facts(), **encoder, **changes).train.lr
        for changes in ({}, {"train.encoder_rate": 1.0}, {"model.weights": "none"})
    ]
    assert rates == [5e-3, 2e-3, 2e-3] and plan(facts()).train.lr == 2e-3


def test_two_rare_classes_weigh_more_and_a_single_one_does_not():
    none, one, two = (facts(classes=3, rare=rare) for rare in ((), ("class 1",), ("class 1", "class 2")))
    assert plan(none).train.loss.class_weights == plan(one).train.loss.class_weights == "none"
    assert plan(one).loss == plan(two, **{"train.loss.class_weights": "none"}).loss == LossWeights()
    shares = (0.93, 0.02, 0.05)
    made = plan(replace(two, shares=shares))
    assert made.numbers["train.loss.class_weights"] == "root"
    assert made.loss == LossWeights(1.0, 1.0, class_weights("root", shares))


def test_class_weights_by_name_are_set_and_recorded_in_the_order_of_the_classes():
    given = {"class 2": 4.5, "class 0": 1.0, "class 1": 2.0}
    made = plan(facts(classes=3), **{"train.loss.class_weights": given})
    assert made.loss == LossWeights(classes=(1.0, 2.0, 4.5)) and made.train.loss.class_weights == given
    recorded = made.choices["train.loss.class_weights"]
    assert (recorded.value, recorded.why) == ("class 0 1, class 1 2, class 2 4.5", BY_HAND)


def test_class_weights_by_name_must_name_all_classes_and_no_others():
    given = {"class 0": 1.0, "clas 1": 2.0, "road": 3.0}
    with pytest.raises(UserError) as error:
        plan(facts(classes=4), **{"train.loss.class_weights": given})
    words = "(unknown: 'clas 1', 'road'; missing: 'class 1', 'class 2', 'class 3')"
    assert str(error.value).startswith("the plan: train.loss.class_weights must") and words in str(error.value)


def test_the_loss_of_a_plan_has_the_terms_of_the_settings():
    terms = {"cross_entropy": 0.7, "dice": 0.5, "focal": 0.2, "focal_gamma": 3.0}
    made = plan(facts(), **{f"train.loss.{name}": value for name, value in terms.items()})
    assert made.loss == LossWeights(**terms)
