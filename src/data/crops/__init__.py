"""What a training step sees: sampled patches, augmentation, normalisation and scaling."""
