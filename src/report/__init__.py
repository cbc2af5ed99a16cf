"""What people look at: curves, panels, one page. Matplotlib, pandas and HTML; never the model."""
