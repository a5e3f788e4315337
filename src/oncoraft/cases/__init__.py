"""From tables to treatment cases: regimens, response labels, follow-up, folds."""
