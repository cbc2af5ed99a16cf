"""What Git and DVC track in the working tree."""
