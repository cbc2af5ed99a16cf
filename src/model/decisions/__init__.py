"""Choose on the validation images, after training: mirroring, temperature, threshold, component sizes."""
