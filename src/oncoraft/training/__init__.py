"""Dual-objective fine-tuning of one fold."""
