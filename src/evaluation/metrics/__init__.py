"""One image, or one pair of masks, to counts and distances."""
