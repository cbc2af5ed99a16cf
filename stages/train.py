"""Train the U-Net on random crops and keep the epoch with the best Dice on the whole validation images."""

from src.params import Params
from stages import METRICS, MODEL, PLOTS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.splits import read_subset
    from src.data.store import Store
    from src.files import write_csv, write_json
    from src.model.archive import save
    from src.model.train import HISTORY, train_unet, training_metrics

    store = Store(PREPARED)
    subsets = {name: read_subset(SPLITS, store, name) for name in ("train", "validation")}
    training = train_unet(
        store,
        subsets["train"],
        subsets["validation"],
        data=params.data,
        augment=params.augment,
        unet=params.model,
        params=params.train,
        seed=params.seed,
    )
    save(MODEL, training.model, training.project)
    write_csv(PLOTS / "history.csv", training.history, HISTORY)
    write_json(METRICS / "train.json", training_metrics(training, {name: len(ids) for name, ids in subsets.items()}))


if __name__ == "__main__":
    run("train", __doc__, main)
