"""Which masks contradict predictions of networks that were not trained on them, and why; without TensorFlow."""
