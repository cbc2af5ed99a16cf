"""Labelled folders and ready masks that `python -m tools.score` scores on, other than `data.source`."""
