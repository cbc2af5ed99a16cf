"""From predicted masks to objects that people can count, map and correct: components, tables and outlines."""
