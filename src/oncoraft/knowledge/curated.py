"""Readings of scans by people: what a curator says of one, whatever words the source has for it, and what response that is.

A word of response is told only of a scan that shows cancer; a scan that shows none is a reading too, not a gap.
"""

from __future__ import annotations

PROGRESSING, STABLE, IMPROVING, NO_CANCER = "progressing", "stable", "improving", "no cancer"
MIXED, NOT_STATED, UNCERTAIN = "mixed", "not stated", "uncertain"
READINGS = (PROGRESSING, STABLE, IMPROVING, NO_CANCER, MIXED, NOT_STATED, UNCERTAIN)
# Those that decide, the worst first: of two readings of one day the worse one counts, as it does for the rule on scans.
CATEGORIES = {PROGRESSING: "PD", STABLE: "SD", IMPROVING: "PR", NO_CANCER: "CR"}
SHOWS_CANCER = (PROGRESSING, STABLE, IMPROVING, MIXED, NOT_STATED)
FILE = "curated.csv"  # in a converted study's folder: patient_id, start_day (from the first sequencing), reading
COLUMNS = ("patient_id", "start_day", "reading")
