"""Read the data set, check every pair, and store it so that random crops are read without decoding whole images."""

from pathlib import Path

from src.params import Params
from stages import CHECKS, PREPARED, run


def main(params: Params) -> None:
    from src.data.prepare import prepare
    from src.files import read_csv

    store = prepare(Path(params.data.source), PREPARED, CHECKS)
    warnings = len(read_csv(CHECKS))
    if warnings:
        print(f"{warnings} warning(s): see {CHECKS}")
    print(f"{len(store)} images, {store.channels} channel(s), classes: {', '.join(store.dataset.names)}")


if __name__ == "__main__":
    run("prepare", __doc__, main)
