"""Converts annotations of other programs to a data set: images/, masks/ and dataset.yaml."""
