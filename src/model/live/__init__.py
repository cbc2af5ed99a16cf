"""What can people see of a training while it runs? The history, logs/progress.json, pictures and event files."""
