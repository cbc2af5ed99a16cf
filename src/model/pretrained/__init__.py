"""Weights that others have trained, turned into the file from which training starts an encoder."""
