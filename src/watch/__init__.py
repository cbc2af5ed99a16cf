"""What does a running training do? It is read from the files that the training writes, and shown in a terminal."""
