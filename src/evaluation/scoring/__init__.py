"""A subset of images to tables and metrics/test.json; the colour baseline; error analysis."""
