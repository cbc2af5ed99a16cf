"""Which pictures does a run produce? Drawn with Matplotlib and Pillow from arrays and tables."""
