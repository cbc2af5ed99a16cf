"""Data sets: reading, checking, storing, splitting and drawing training crops. NumPy, OpenCV and Pillow only."""
