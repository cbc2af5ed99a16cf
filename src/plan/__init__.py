"""The plan: which settings a training starts with, from what the training images are. No TensorFlow."""
