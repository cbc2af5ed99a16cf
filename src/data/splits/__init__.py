"""Divide images into train, validation and test: groups, official lists, stratification, folds."""
