"""Check that pairs can be used: what the values of masks mean, and which files have faults."""
