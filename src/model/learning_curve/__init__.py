"""Train on fractions of the training images on this device."""
