"""Reads GeoJSON: objects of QuPath in pixels, and features in pixels or map coordinates."""
