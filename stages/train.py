"""Train the U-Net on random crops and keep the epoch with the best Dice on the whole validation images."""

from pathlib import Path

from src.params import Params
from stages import METRICS, MODEL, PLOTS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.splits import read_subset
    from src.data.store import Store
    from src.files import write_csv, write_json
    from src.model.archive import save
    from src.model.resume import checkpoints_of
    from src.model.train import train_unet
    from src.model.training import HISTORY

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
        checkpoints=checkpoints_of(Path.cwd()),
    )
    if training.workers.chief:
        save(MODEL, training.model, training.project)
        write_csv(PLOTS / "history.csv", training.history, HISTORY)
        write_json(METRICS / "train.json", training.metrics({name: len(ids) for name, ids in subsets.items()}))
        training.checkpoint.discard()


if __name__ == "__main__":
    run("train", __doc__, main)
