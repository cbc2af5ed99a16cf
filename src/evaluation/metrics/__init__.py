"""Measures of one image: a true and a predicted mask become counts and distances."""
