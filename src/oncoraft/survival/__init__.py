"""Whether the score separates survival, under delayed entry."""
