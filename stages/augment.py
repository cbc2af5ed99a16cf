"""Draw training patches before and after augmentation, with their masks as an overlay."""

from src.params import Params
from stages import PLOTS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.crops.sampling import Patches
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.plan.facts import Facts
    from src.plan.plan import plan_network
    from src.report.figures.augmentation import draw_augmentation

    store = Store(PREPARED)
    trained, validated = (read_subset(SPLITS, store, name) for name in ("train", "validation"))
    facts = Facts.of(trained, validated, params.train.initial)
    seen = plan_network(facts, params.data, params.augment, params.model, params.train.memory_gib)
    patches = Patches(trained, seen.data, seen.augment, params.seed, encoder=seen.model.encoder)
    draw_augmentation(PLOTS / "augmentation", patches)


if __name__ == "__main__":
    run("augment", __doc__, main)
