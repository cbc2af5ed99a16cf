"""Score the model and the colour baseline on the test images, at the resolution of each image."""

from src.params import Params
from stages import EVALUATION, METRICS, MODEL, PREDICTIONS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.evaluation.scoring.baseline import ColourClassifier, largest_class
    from src.evaluation.scoring.error_analysis import WORST, worst_rows
    from src.evaluation.scoring.measure import measure_all
    from src.evaluation.scoring.methods import COLOUR, NETWORK, UNDECIDED
    from src.evaluation.scoring.scores import Scoring, dice_gain, pixel_scores, summary
    from src.evaluation.scoring.tables import write_tables
    from src.files import round_scores, write_csv, write_json
    from src.model.network.import_tensorflow import import_tensorflow_quietly
    from src.progress import progress

    import_tensorflow_quietly()
    from src.model.inference.predictor import load_predictor
    from src.model.inference.score_subset import score_subset

    store = Store(PREPARED)
    test, trained = (read_subset(SPLITS, store, name) for name in ("test", "train"))
    network = load_predictor(MODEL)
    scoring, tolerance = Scoring(store.dataset, params.evaluate, params.seed), params.evaluate.tolerance

    results, calibration = score_subset(network, test, NETWORK, tolerance=tolerance, save_to=PREDICTIONS)
    methods, metrics = {NETWORK: results}, summary(results, scoring) | {"calibration": calibration.summary()}
    if network.changed_decisions:
        methods[UNDECIDED], before = score_subset(network.with_default_decisions(), test, UNDECIDED)
        metrics["decisions"] = network.changed_decisions | {"dice": dice_gain(methods[UNDECIDED], results, scoring)}
        metrics["calibration"] |= {f"{name}_undecided": value for name, value in before.summary().items()}
    colour = ColourClassifier(trained, params.seed)
    guesses = ((index, colour(store.image(index))) for index in progress(test.indices, len(test), "evaluate colour"))
    methods[COLOUR] = measure_all(test, guesses, None)
    metrics["baseline"] = pixel_scores(summary(methods[COLOUR], scoring))
    metrics["baseline"]["largest_class"] = largest_class(trained, test)

    write_json(METRICS / "test.json", round_scores(metrics))
    write_tables(EVALUATION, methods, calibration, scoring)
    write_csv(EVALUATION / "worst.csv", worst_rows(results, test, trained), WORST)


if __name__ == "__main__":
    run("evaluate", __doc__, main)
