"""Many images become a mean with its interval, and a choice between candidates."""
