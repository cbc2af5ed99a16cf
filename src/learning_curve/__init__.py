"""How the score grows with the number of labelled images, and what twice as many would bring; without TensorFlow."""
