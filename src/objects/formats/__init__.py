"""Writes outlined objects in the formats of labelling tools and maps."""
