"""OncoRAFT workflow: from the tables of a cancer cohort to score-stratified survival curves."""

__version__ = "0.1.0"
