"""Data sets: reading, checking, storing, splitting and drawing training patches. NumPy, OpenCV and Pillow only."""
