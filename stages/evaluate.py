"""Score the model, and a classifier of single pixels' colours, on the test images at their own resolution."""

from src.params import Params
from stages import EVALUATION, METRICS, MODEL, PREDICTIONS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.store.store import Store
    from src.data.store.subsets import read_subset
    from src.evaluation.scoring.baseline import ColourClassifier, largest_class
    from src.evaluation.scoring.error_analysis import WORST, worst_rows
    from src.evaluation.scoring.measure import measure_all
    from src.evaluation.scoring.scores import brief, gain, summary
    from src.evaluation.scoring.tables import write_tables
    from src.files import round_scores, write_csv, write_json
    from src.model.inference.predictor import load_predictor
    from src.model.inference.score_subset import score_subset
    from src.progress import progress

    store = Store(PREPARED)
    test, trained = (read_subset(SPLITS, store, name) for name in ("test", "train"))
    network = load_predictor(MODEL)
    settings, tolerance = (store.dataset, params.evaluate, params.seed), params.evaluate.tolerance

    results, calibration = score_subset(network, test, "unet", tolerance=tolerance, kept=PREDICTIONS)
    methods, metrics = {"unet": results}, summary(results, *settings) | {"calibration": calibration.summary()}
    if network.decided:
        methods["undecided"], before = score_subset(network.undecided(), test, "undecided")
        metrics["decisions"] = network.decided | {"dice": gain(methods["undecided"], results, *settings)}
        metrics["calibration"] |= {f"{name}_undecided": value for name, value in before.summary().items()}
    colour = ColourClassifier(trained, params.seed)
    guesses = ((index, colour(store.image(index))) for index in progress(test.indices, len(test), "evaluate colour"))
    methods["colour"] = measure_all(test, guesses, None)
    metrics["baseline"] = brief(summary(methods["colour"], *settings))
    metrics["baseline"]["largest_class"] = largest_class(trained, test)

    write_json(METRICS / "test.json", round_scores(metrics))
    write_tables(EVALUATION, methods, calibration, *settings)
    write_csv(EVALUATION / "worst.csv", worst_rows(results, test, trained), WORST)


if __name__ == "__main__":
    run("evaluate", __doc__, main)
