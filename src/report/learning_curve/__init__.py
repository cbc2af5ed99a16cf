"""The text and the chart of a learning curve."""
