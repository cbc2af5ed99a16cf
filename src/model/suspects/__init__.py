"""Train folds on this device, and predict the images of each by the network that was not trained on them."""
