"""The readers by name: the one place that joins a layout and the module that reads it."""

from __future__ import annotations

from oncoraft.cohort.conversion import Reader
from oncoraft.cohort.genie_bpc import read_genie_bpc
from oncoraft.cohort.mapped_tables import read_csv
from oncoraft.cohort.meds_reader import read_meds
from oncoraft.cohort.other_clock import read_cbioportal

READERS: dict[str, Reader] = {"cbioportal": read_cbioportal, "genie_bpc": read_genie_bpc, "csv": read_csv, "meds": read_meds}
