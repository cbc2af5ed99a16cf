"""How do an image and the classes of its pixels look on a screen? Plain NumPy, without a plotting library."""
