"""Labelled folders other than `data.source`, for `python -m tools.score`."""
