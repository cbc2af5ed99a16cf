"""Train the U-Net on random patches, keep the best epoch on validation images, and fit the decisions."""

from pathlib import Path

from src.params import Params
from stages import HISTORY_TABLE, LOGS, METRICS, MODEL, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.store.store import Store
    from src.data.store.subsample import subsample
    from src.data.store.subsets import read_subset
    from src.files import round_scores, write_csv, write_json
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.plan.facts import Facts
    from src.plan.plan import plan_training
    from src.trainings import trainings_folder

    import_tensorflow_quietly()
    from src.model.decisions.fit_decisions import fit_decisions
    from src.model.inference.predictor import Predictor
    from src.model.live.live_files import LiveFiles, LivePaths
    from src.model.network.model_file import write_model
    from src.model.training.loop import train_unet
    from src.model.training.setup import prepare_training
    from src.model.training.state import HISTORY

    store = Store(PREPARED)
    trained, validated = (read_subset(SPLITS, store, name) for name in ("train", "validation"))
    facts = Facts.of(trained, validated, params.train.initial)
    plan = plan_training(facts, params.data, params.augment, params.model, params.train)
    print(plan, flush=True)
    validated = subsample(validated, plan.train.validation_images)
    checkpoints = trainings_folder(Path.cwd())
    training, patches = prepare_training(trained, validated, plan, seed=params.seed, checkpoints=checkpoints)
    with LiveFiles(LivePaths(LOGS, HISTORY_TABLE), training, validated, plan.train) as live:
        train_unet(training, patches, validated, plan.train, live)
        predictor = Predictor(training.model, training.project)
        tried, flip = params.train.decisions, plan.augment.flip
        predictor, verdicts = fit_decisions(predictor, validated, tried, params.seed, flip=flip)
        if training.workers.chief:
            write_model(MODEL, training.model, predictor.project)
            write_csv(HISTORY_TABLE, training.history, HISTORY)
            metrics = training.metrics({"train": len(trained), "validation": len(validated)})
            decided = {name: verdict.numbers() for name, verdict in verdicts.items()}
            schedule = training.schedule(plan.train)
            numbers = plan.numbers | {"train.steps": schedule.steps, "train.epochs": schedule.epochs}
            write_json(METRICS / "train.json", round_scores(metrics | {"decisions": decided}) | {"plan": numbers})
            training.checkpoint.discard()


if __name__ == "__main__":
    run("train", __doc__, main)
