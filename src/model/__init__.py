"""The network: building, training, applying and exporting it. The only package that imports TensorFlow.

`from src.model import load_predictor, Predictor` is the way in for people: it imports TensorFlow first.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src.model.inference.predictor import Predictor, load_predictor

__all__ = ["Predictor", "load_predictor"]


def __getattr__(name: str) -> object:
    """Import the names in `__all__` when they are asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.model.inference import predictor

    return getattr(predictor, name)
