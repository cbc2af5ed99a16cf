"""How do results read as text? Tables and sentences for the terminal and for Markdown."""
