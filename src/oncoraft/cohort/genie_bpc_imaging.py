"""Curated scans of a GENIE BPC release, and PD-L1 of its pathology reports.

The response word is filled only where a scan shows cancer. A scan without evidence of cancer is a reading all the same: no progression
and no cancer, which is what a complete response looks like; a reader that drops rows without a word loses every one of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cohort.conversion import Converted, Origin
from oncoraft.cohort.genie_bpc_release import IMAGING, PATHOLOGY, Release
from oncoraft.cohort.source_tables import LINE, days, on_one_clock, text, written
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.curated import IMPROVING, MIXED, NO_CANCER, NOT_STATED, PROGRESSING, STABLE, UNCERTAIN
from oncoraft.knowledge.genie_bpc import EVIDENCE_OF_CANCER, FULL_BODY, PROCEDURES, PROGRESSION, REGIONS, tumor_site

# In the order of the vocabulary; only the word of a scan that shows cancer is a word of response.
CURATED = dict(zip(PROGRESSION, (PROGRESSING, STABLE, IMPROVING, MIXED, NOT_STATED), strict=True))
SITES = tuple(f"image_casite{number}" for number in range(1, 16))
COVERED = ("CHEST", "ABDOMEN", "PELVIS", "HEAD", "OTHER")
WHO = Origin("mapped", "record_id")
DAY = Origin("mapped", "image_scan_int, held against dx_scan_days and the first index cancer")
PROCEDURE = Origin("mapped", "image_scan_type")
COVERAGE = {region: Origin("approximated", "the part of the body in scan_sites; spine, neck and limbs are OTHER") for region in COVERED}
PROGRESSION_ORIGINS = {
    "PATIENT_ID": WHO,
    "START_DATE": DAY,
    "PROGRESSION": Origin(
        "mapped", "image_overall by curators; mixed and not stated are indeterminate; no evidence of cancer is no progression"
    ),
    "PROCEDURE_TYPE": PROCEDURE,
    "NLP_PROGRESSION_PROBABILITY": Origin("absent", "people read the reports"),
}
PRESENCE_ORIGINS = {
    "PATIENT_ID": WHO,
    "START_DATE": DAY,
    "HAS_CANCER": Origin("mapped", "image_ca by curators"),
    "PROCEDURE_TYPE": PROCEDURE,
    **COVERAGE,
    "NLP_HAS_CANCER_PROBABILITY": Origin("absent", "people read the reports"),
}
SITE_ORIGINS = {
    "PATIENT_ID": WHO,
    "START_DATE": DAY,
    "TUMOR_SITE": Origin("approximated", "the ten sites by the ICD-O-3 code of image_casite1 to 15"),
    "SOURCE_SPECIFIC": PROCEDURE,
    **COVERAGE,
}
PDL1_ORIGINS = {
    "PATIENT_ID": WHO,
    "START_DATE": Origin("mapped", "path_proc_int, held against dx_path_proc_days and the first index cancer"),
    "PDL1_POSITIVE": Origin("mapped", "pdl1_positive_any"),
}


def read(release: Release, part: Converted) -> None:
    """Progression, cancer presence, sites, PD-L1."""
    path = release.path(IMAGING)
    rows = release.tables[IMAGING]
    rows = rows[rows["record_id"].isin(release.zero.index)]
    part.count(path, "set aside: scans of patients without day 0", len(release.tables[IMAGING]) - len(rows))
    names = ("image_scan_int", "dx_scan_days")
    day, differ = on_one_clock(days(rows, names[0], path), days(rows, names[1], path) + release.first_diagnosis(rows), rows, path, names)
    part.count(path, f"days that {names[0]} and {names[1]} tell differently; the first counts", differ)
    part.count(path, "set aside: scans without a day", int(day.isna().sum()))
    rows, day = rows[day.notna()], day.dropna()
    _refuse_words(rows, release)
    shared = _shared(release, rows, day, part)
    seen = text(rows, "image_ca").map(EVIDENCE_OF_CANCER).fillna("")
    part.count(path, "set aside: scans whose report does not mention cancer", int((seen == "").sum()))
    said = text(rows, "image_overall").map(PROGRESSION).fillna("Indeterminate")
    verdict = np.where(seen == "N", "N", np.where(seen == "Indeterminate", "Indeterminate", said))
    told = seen != ""
    part.put("timeline_progression", shared.assign(PROGRESSION=verdict)[told], PROGRESSION_ORIGINS)
    part.put("timeline_cancer_presence", shared.assign(HAS_CANCER=seen)[told], PRESENCE_ORIGINS)
    part.readings = _readings(rows, shared, seen, part, path)
    _sites(rows, shared, seen, part)
    _pdl1(release, part)


def _readings(rows: pd.DataFrame, shared: pd.DataFrame, seen: pd.Series, part: Converted, path: Path) -> pd.DataFrame:
    """What the curators say of every scan that speaks of cancer: their word where it shows cancer, else that it shows none."""
    word = text(rows, "image_overall")
    part.count(path, "words of response on scans without evidence of cancer; not taken", int(((word != "") & (seen != "Y")).sum()))
    reading = word.map(CURATED).fillna(NOT_STATED).mask(seen == "N", NO_CANCER).mask(seen == "Indeterminate", UNCERTAIN)
    told = pd.DataFrame({"patient_id": shared["PATIENT_ID"], "start_day": shared["START_DATE"].astype(int), "reading": reading})
    return told[seen != ""].reset_index(drop=True)


def _refuse_words(rows: pd.DataFrame, release: Release) -> None:
    """Words that decide on response may not be new: an unknown one would become a gap without a word.

    Raises:
        InputError: the first.
    """
    for column, known in (("image_overall", PROGRESSION), ("image_ca", EVIDENCE_OF_CANCER)):
        words = text(rows, column)
        strange = (words != "") & ~words.isin(known)
        if strange.any():
            row = rows[strange].iloc[0]
            expected = f"expected one of {', '.join(map(repr, known))}, or an empty cell"
            raise InputError(expected, file=release.path(IMAGING), line=int(row[LINE]), column=column, found=row[column])


def _shared(release: Release, rows: pd.DataFrame, day: pd.Series, part: Converted) -> pd.DataFrame:
    """What every reading of a scan has: patient, day, procedure, which parts of the body it covers."""
    covered = text(rows, "scan_sites").map(lambda cell: {word.strip() for word in cell.split(",")} - {""})
    words = pd.Series([word for parts in covered for word in parts], dtype=object)
    part.count_strange(release.path(IMAGING), "scan_sites", words, {*REGIONS, FULL_BODY})
    regions = {region: [_is_covered(region, parts) for parts in covered] for region in COVERED}
    procedure = text(rows, "image_scan_type").map(lambda word: PROCEDURES.get(word, word))
    return pd.DataFrame(
        {"PATIENT_ID": rows["record_id"], "START_DATE": written(release.from_zero(rows, day)), "PROCEDURE_TYPE": procedure, **regions}
    )


def _is_covered(region: str, parts: set[str]) -> str:
    """Whether a scan of some parts covers a region; empty where it names no part, or one that is not known and may be the region."""
    if FULL_BODY in parts or any(REGIONS.get(part) == region for part in parts):
        return "TRUE"
    return "FALSE" if parts and parts <= set(REGIONS) else ""


def _sites(rows: pd.DataFrame, shared: pd.DataFrame, seen: pd.Series, part: Converted) -> None:
    """One row a site that a scan with evidence of cancer names."""
    named = pd.concat([text(rows, column).map(tumor_site) for column in SITES], axis=1, keys=range(len(SITES)))
    long = pd.Series(named[seen == "Y"].stack(), dtype=object)
    long = long[long != ""]
    who = long.index.get_level_values(0)
    found = shared.loc[who].assign(TUMOR_SITE=long.to_numpy()).drop_duplicates()
    found = found.assign(SOURCE_SPECIFIC=found["PROCEDURE_TYPE"])
    part.put("timeline_tumor_sites", found, SITE_ORIGINS)


def _pdl1(release: Release, part: Converted) -> None:
    rows = release.tables.get(PATHOLOGY)
    if rows is None or "pdl1_positive_any" not in rows:
        return
    path = release.path(PATHOLOGY)
    rows = rows[rows["record_id"].isin(release.zero.index)]
    names = ("path_proc_int", "dx_path_proc_days")
    day, differ = on_one_clock(days(rows, names[0], path), days(rows, names[1], path) + release.first_diagnosis(rows), rows, path, names)
    part.count(path, f"days that {names[0]} and {names[1]} tell differently; the first counts", differ)
    word = text(rows, "pdl1_positive_any")
    known = word.isin(("Yes", "No")) & day.notna()
    part.count(path, "set aside: PD-L1 without a day, or neither Yes nor No", int(((word != "") & ~known).sum()))
    found = pd.DataFrame({"PATIENT_ID": rows["record_id"], "START_DATE": written(release.from_zero(rows, day)), "PDL1_POSITIVE": word})
    part.put("timeline_pdl1", found[known], PDL1_ORIGINS)
