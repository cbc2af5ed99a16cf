"""Scores: counts first, then ratios, then intervals over groups. NumPy, SciPy, OpenCV and scikit-learn only."""
