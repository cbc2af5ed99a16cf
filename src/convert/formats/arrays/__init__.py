"""Reads masks that are arrays of NumPy (.npy, .npz) and MATLAB (.mat)."""
