"""A search over settings with Optuna: the search space, and trials as experiments of DVC."""
