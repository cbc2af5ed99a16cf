"""The growth of the score with the number of labelled images, and the gain from twice as many; without TensorFlow."""
