"""Which images are too large for some scores? The limit is here, so that texts can name it without loading OpenCV."""

LARGEST = 64_000_000  # pixels of an image above which boundaries and objects are left out: they need it as a whole
