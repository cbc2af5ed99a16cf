"""Predict whole images: tiling, image files, and scoring of a subset."""
