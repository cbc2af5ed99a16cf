"""Train the U-Net on random crops, keep the epoch that is best on whole validation images, and decide how to use it."""

from pathlib import Path

from src.params import Params
from stages import METRICS, MODEL, PLOTS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.splits import read_groups, read_subset
    from src.data.store import Store
    from src.files import plain, write_csv, write_json
    from src.model.archive import save
    from src.model.decide import decide
    from src.model.infer import Predictor
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
    predictor, verdicts = decide(
        Predictor(training.model, training.project),
        store,
        subsets["validation"],
        read_groups(SPLITS, store, subsets["validation"]),
        params.train.decisions,
        params.seed,
    )
    if training.workers.chief:
        save(MODEL, training.model, predictor.project)
        write_csv(PLOTS / "history.csv", training.history, HISTORY)
        metrics = training.metrics({name: len(ids) for name, ids in subsets.items()})
        decided = {name: verdict.numbers() for name, verdict in verdicts.items()}
        write_json(METRICS / "train.json", plain(metrics | {"decisions": decided}))
        training.checkpoint.discard()


if __name__ == "__main__":
    run("train", __doc__, main)
