"""GENIE BPC: the CSV tables of a release (`clinical_data/`) or of several, with the genomic files of `cBioPortal_files/` where they lie beside.
Where there are no CSV tables at all, the portal's folder alone (`genie_bpc_portal`).

Two clocks stand in one release: drugs, radiation and panels count from the diagnosis of their own cancer (`ca_seq`), scans, visits,
pathology and markers from the patient's first index cancer; they differ in patients with two. Nearly every event also has its day from
birth. Everything is brought to days from birth first, each pair of clocks held against one another, and then shifted once to the first
sequencing report. No calendar date is read or made.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cohort import genie_bpc_courses, genie_bpc_genomics, genie_bpc_imaging, genie_bpc_patients
from oncoraft.cohort.conversion import Converted
from oncoraft.cohort.genie_bpc_portal import origins_of, portal_folders, read_portal
from oncoraft.cohort.genie_bpc_release import PANELS, PATIENTS, PORTAL, read_release, releases, share_day_zero
from oncoraft.foundation.errors import InputError


def read_genie_bpc(source: Path, mapping: Path | None = None) -> Converted:
    """A release, or several below one folder, in MSK-CHORD's layout.

    Args:
        source: folder.
        mapping: not taken.

    Raises:
        InputError: see `releases`, `read_release`; two clocks that contradict one another; no patient with a sequencing report.
    """
    if mapping is not None:
        raise InputError("expected no mapping file: this reader knows its columns", file=mapping)
    made = Converted()
    portals = portal_folders(source)
    try:
        folders = releases(source)
    except InputError:
        if not portals:
            raise
        folders = []
    # CSV tables where there are any: they tell clocks, sites and other cancers that the portal's folder does not.
    portals = [] if folders else portals
    found = []
    for folder in [*folders, *portals]:
        part = Converted(counts=made.counts, inputs=made.inputs, clock=made.clock)
        found.append((read_portal(folder, part) if portals else read_release(folder, part), part))
    share_day_zero([release for release, _ in found], made)
    for release, part in found:
        for read in (genie_bpc_patients.read, genie_bpc_courses.read, genie_bpc_imaging.read):
            read(release, part)
        for name, rows in part.tables.items():
            made.tables[name] = pd.concat([made.tables[name], rows], ignore_index=True) if name in made.tables else rows
        made.origins |= origins_of(part.origins) if portals else part.origins
        made.readings = part.readings if made.readings is None else pd.concat([made.readings, part.readings], ignore_index=True)
    made.tables["clinical_patient"] = _longest_followed(made)
    # A specimen of two cohorts stands in both: once is enough.
    made.tables["clinical_sample"] = made.once(Path(PANELS), made.tables["clinical_sample"], "SAMPLE_ID").fillna("").reset_index(drop=True)
    genie_bpc_genomics.read([*(folder.parent / PORTAL for folder in folders), *portals], made)
    made.clock |= {"clock": "birth, shifted to the first sequencing report", "day_zero": "earliest dob_cpt_report_days of the patient"}
    return made


def _longest_followed(made: Converted) -> pd.DataFrame:
    """One row a patient who stands in several cohorts, or twice in one: cohorts close their data on different days, and the row that was followed
    longest knows most.
    """
    patients = made.tables["clinical_patient"].fillna("")
    months = pd.to_numeric(patients["OS_MONTHS"])
    ordered = patients.loc[months.fillna(-np.inf).sort_values(ascending=False, kind="stable").index]
    return made.once(Path(PATIENTS), ordered, "PATIENT_ID").sort_index().reset_index(drop=True)
