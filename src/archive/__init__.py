"""The model file: what it holds, and its validation before anything in it is used."""
