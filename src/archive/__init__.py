"""What models/unet.keras holds, and the door that every archive goes through before use; without TensorFlow."""
