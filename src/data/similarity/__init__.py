"""Find images that are equal, nearly equal, or similar to their neighbours."""
