"""Read one file as pixels: images, masks, TIFF, containers, EXIF orientation, and what makes a file unreadable."""
