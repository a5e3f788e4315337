"""Single-cell cohorts: drug response from AnnData files, with the same folds, engine and strategies as treatment cases."""
