"""Draw what the network will see: training crops before and after augmentation, with their masks laid over."""

from src.params import Params
from stages import PLOTS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.crops import Crops
    from src.data.splits import read_subset
    from src.data.store import Store
    from src.report.augmentation import draw_augmentation

    store = Store(PREPARED)
    crops = Crops(store, read_subset(SPLITS, store, "train"), params.data, params.augment, params.seed)
    draw_augmentation(PLOTS / "augmentation", crops)


if __name__ == "__main__":
    run("augment", __doc__, main)
