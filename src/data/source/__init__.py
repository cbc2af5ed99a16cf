"""Find the image and mask pairs of a data set folder, with the classes and units that its dataset.yaml describes."""
