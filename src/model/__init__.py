"""The network: building, training, saving and applying it. The only part of the project that imports TensorFlow."""
