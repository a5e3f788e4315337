"""The text that the model reads and learns to write."""
