"""The network: building, training, applying and exporting it. The only package that imports TensorFlow.

`from src.model import load_predictor, Predictor` is the way in for people: it imports TensorFlow first.
"""


def __getattr__(name: str) -> object:
    """Import `Predictor` and `load_predictor` when they are asked for (PEP 562)."""
    if name not in ("Predictor", "load_predictor"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.model.inference import predictor

    return getattr(predictor, name)
