"""Scores: counts first, then ratios, then intervals over groups. NumPy, SciPy and scikit-learn only."""
