"""Score the model, and a classifier of single pixels' colours, on the test images at their own resolution."""

from collections.abc import Callable
from typing import Any

from src.params import Params
from stages import METRICS, MODEL, PREDICTIONS, PREPARED, SCORES, SPLITS, run


def main(params: Params) -> None:
    from src.data.splits import read_groups, read_subset
    from src.data.store import Store
    from src.evaluation.baseline import ColourClassifier
    from src.evaluation.scores import COLUMNS, count, image_rows, keep, summary
    from src.files import write_csv, write_json
    from src.model.infer import load_predictor
    from src.progress import progress

    store = Store(PREPARED)
    test, trained = (read_subset(SPLITS, store, name) for name in ("test", "train"))
    ids, groups = [store.records[position].id for position in test], read_groups(SPLITS)
    group_of = {image: groups[image] for image in ids}
    methods: dict[str, Callable[..., Any]] = {
        "unet": load_predictor(MODEL),
        "colour": ColourClassifier(store, trained, params.seed),
    }
    scores: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for method, predict in methods.items():
        predictions = ((i, predict(store.image(i))) for i in progress(test, len(test), f"evaluate {method}"))
        counts = count(store, keep(PREDICTIONS, predictions) if method == "unet" else predictions)
        scores[method] = summary(counts, list(group_of.values()), store.dataset, params.evaluate.resamples, params.seed)
        rows += image_rows(counts, group_of, store.dataset, method)
    sizes = {"images": len(test), "groups": len(set(group_of.values()))}
    write_json(METRICS / "test.json", scores["unet"] | sizes | {"baseline": scores["colour"]})
    write_csv(SCORES, rows, COLUMNS)


if __name__ == "__main__":
    run("evaluate", __doc__, main)
