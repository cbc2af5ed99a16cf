"""Divide the images into train, validation and test subsets. Groups stay whole, classes are spread evenly."""

from src.params import Params
from stages import PLOTS, PREPARED, SPLITS, run


def main(params: Params) -> None:
    from src.data.splits.divide import split, split_notes, subset_table, twin_note
    from src.data.splits.split_warnings import split_warning
    from src.data.store.store import Store
    from src.data.store.subsets import write_splits
    from src.files import write_csv

    store = Store(PREPARED)
    rows = split(store, params.split, params.split.seed)
    table = subset_table(store, rows)
    write_splits(SPLITS, rows)
    write_csv(PLOTS / "splits.csv", table, list(table[0]))
    for row in table:
        size = f"{row['images']} images in {row['groups']} groups"
        print(f"{row['subset']:>10}: {size}, {row['class']} on {row['share']:.2%} of the pixels")
    print(twin_note(store), *split_notes(store, params.split, rows), sep="\n")
    if warning := split_warning(store.records, rows):
        print(warning)


if __name__ == "__main__":
    run("split", __doc__, main)
