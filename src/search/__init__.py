"""Which settings are tried on a device, how trials are compared, and how much time they get; without TensorFlow."""
