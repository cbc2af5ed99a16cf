"""The prepared data set on disk: write it once, read it by window, and select subsets of its images."""
