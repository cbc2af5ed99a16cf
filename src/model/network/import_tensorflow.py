"""Import TensorFlow and Keras without their start-up notes and without libraries that this project does not need."""

import os
import sys
import tempfile

UNUSED = ("sklearn", "matplotlib", "pandas")  # Keras imports them if it can, for parts that are not used here


def import_tensorflow_quietly() -> None:
    """Import TensorFlow and Keras; a stage or tool calls this before it imports a module that uses them.

    No setting turns off TensorFlow's start-up notes. So standard error goes to a temporary file meanwhile, and is shown
    only if the import fails. The libraries in `UNUSED` seem not to be installed meanwhile, which saves a quarter of
    the time. Without this call the same modules work, with a slower start and the notes.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        hidden = [name for name in UNUSED if name not in sys.modules]
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            for name in hidden:
                del sys.modules[name]
            os.dup2(stderr, 2)
            os.close(stderr)
