"""The inputs and outputs of `python -m tools.predict`."""
