"""Earlier runs: their provenance, and the experiments that DVC recorded."""
