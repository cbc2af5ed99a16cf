"""A subset becomes scores: tables, metrics/test.json, the colour baseline, and an analysis of the worst images."""
