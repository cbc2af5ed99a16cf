"""Two or more runs become differences, intervals and verdicts."""
