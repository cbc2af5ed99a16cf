"""The masks that are probably wrong: as a table, as pictures, and as text for the terminal."""
