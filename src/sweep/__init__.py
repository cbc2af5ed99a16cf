"""A search over settings with Optuna: the search space, the study, and the search."""
