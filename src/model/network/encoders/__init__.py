"""Encoders: each turns images into features at the strides 1, 2, 4 …, which the decoder in unet.py combines."""
