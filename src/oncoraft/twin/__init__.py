"""The synthetic cohort with a known truth."""
