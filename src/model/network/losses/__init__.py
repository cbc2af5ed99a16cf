"""What the network learns from: terms of the loss as sums over pixels, their weighted sum, and confusion matrices."""
