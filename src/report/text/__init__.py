"""Tables and summaries for the terminal and for Markdown."""
