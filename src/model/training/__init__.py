"""The training loop: optimiser, schedule, validation, checkpoints, workers and diagnostics."""
