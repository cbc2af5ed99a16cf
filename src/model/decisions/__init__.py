"""Fit what is decided on validation images after training: mirroring, temperature, threshold, component sizes."""
