"""Predict images for correction in a labelling tool."""
