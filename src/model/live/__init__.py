"""Files that show a training while it runs: the history, logs/progress.json, pictures and event files."""
