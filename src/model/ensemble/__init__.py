"""Join members into an ensemble: the images that they know, and the decisions of their mean."""
