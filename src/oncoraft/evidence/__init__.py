"""What was known of a case at its index date."""
