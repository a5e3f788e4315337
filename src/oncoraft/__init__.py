"""OncoRAFT workflow: from the tables of a cancer cohort to score-stratified survival curves."""

import os

# Set before anything loads OpenMP, which reads it once: threads that wait by spinning beside a busy neighbour make the small layers of a
# tiny model 15 to 40 times slower (torch 2.13, two cores). A value that the user set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
