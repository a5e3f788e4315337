"""How good the scores are, and beside what."""
