"""Many images to means, intervals and selections."""
