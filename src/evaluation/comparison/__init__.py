"""Two or more runs to differences and verdicts."""
