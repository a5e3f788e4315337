"""Scores and rationales of held-out cases."""
