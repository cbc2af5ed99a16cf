"""Patches for training: sampling, augmentation, normalisation and scaling."""
