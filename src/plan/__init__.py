"""The plan: the settings of a training that follow from its images, each with its reason. No TensorFlow."""
