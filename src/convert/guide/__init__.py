"""Says which annotation formats there are, and which one a folder holds."""
