"""What a label of the masks, the byte of one pixel, says about the classes."""
