"""Is a revision what it says? Run again in a copy and compared, with DVC and Git; neither NumPy nor TensorFlow."""
