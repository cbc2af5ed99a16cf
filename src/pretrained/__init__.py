"""Weights that others have trained: where they come from, and how their files are read without running anything."""
