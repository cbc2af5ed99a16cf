"""Patches for training: sampling, augmentation, normalisation and resizing."""
