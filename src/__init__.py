"""The library under the stages. Imports go downwards only; src/model is the only part that imports TensorFlow."""
