"""Reading the files that a running training writes, and showing them in a terminal."""
