"""What should a user of the model know? The model card, in Markdown."""
