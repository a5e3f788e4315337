"""What is stale and why, whether results are whole, and what a finished run says of itself."""
