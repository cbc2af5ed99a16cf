"""Predict whole images: tiling, files on disk, and scoring of a subset."""
