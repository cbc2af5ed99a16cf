"""Architectures, losses, deep supervision, layer folding, devices, and the model file as a Keras model."""
