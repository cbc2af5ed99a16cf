"""The network: building, training, saving and applying it. The only part of the project that imports TensorFlow."""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


OPTIONAL = ("sklearn", "matplotlib", "pandas")  # what Keras imports if it is there, for parts that are not used here


def _import_quietly() -> None:
    """Import TensorFlow and Keras without their page of start-up notes, which no setting turns off, unless it fails.

    While they are, `OPTIONAL` seems not to be installed: that spares two fifths of the time.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        spared = [name for name in OPTIONAL if name not in sys.modules]
        sys.modules.update(dict.fromkeys(spared))  # type: ignore[arg-type]
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        except BaseException:
            notes.seek(0)
            os.write(kept, notes.read())
            raise
        finally:
            for name in spared:
                del sys.modules[name]
            os.dup2(kept, 2)
            os.close(kept)


_import_quietly()

from src.model.inference.predictor import Predictor, load_predictor  # noqa: E402, F401  for people: from src.model import load_predictor
