"""The consortium's cBioPortal folder of GENIE BPC, for those who have no CSV tables: its timelines, told as the CSV tables would.

Its days count from the diagnosis of the index cancer, and every index cancer is put on day 0: of a patient with two, drugs and scans may
count from different days that the folder no longer tells apart, so that such patients are set aside. Birth is nowhere: the age at sequencing,
in whole years, stands in for it. Sites of disease on scans, and cancers other than the index cancer's drugs, are not there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.cohort.cells import within_bounds
from oncoraft.cohort.conversion import Converted, Origin
from oncoraft.cohort.genie_bpc_release import (
    CANCERS,
    FOLDER,
    IMAGING,
    MARKERS,
    PANELS,
    PATHOLOGY,
    PATIENTS,
    PORTAL,
    RADIATION,
    REGIMENS,
    Release,
    set_clocks,
)
from oncoraft.cohort.source_tables import LINE, days, read_source, text
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.genie_bpc import COHORTS

DAYS_PER_YEAR, DAYS_PER_MONTH = 365.25, 30.4  # the export pipeline's own month
DRUGS = "data_timeline_treatment.txt"
# File -> columns without which it cannot be read; the second group may be absent.
REQUIRED = {
    DRUGS: ("PATIENT_ID", "START_DATE", "AGENT"),
    "data_timeline_imaging.txt": ("PATIENT_ID", "START_DATE", "CANCER_STATUS", "CURATED_CANCER_STATUS"),
    "data_timeline_sequencing.txt": ("PATIENT_ID", "START_DATE", "SAMPLE_ID"),
    "data_timeline_cancer_diagnosis.txt": ("PATIENT_ID", "START_DATE", "INDEX_CANCER"),
    "data_clinical_patient.txt": ("PATIENT_ID",),
    "data_clinical_sample.txt": ("PATIENT_ID", "SAMPLE_ID"),
}
OPTIONAL = {
    "data_clinical_supp_survival.txt": ("PATIENT_ID", "OS_STATUS", "OS_MONTHS"),
    "data_timeline_sample_acquisition.txt": ("PATIENT_ID", "START_DATE", "SAMPLE_ID"),
    "data_timeline_pathology.txt": ("PATIENT_ID", "START_DATE"),
    "data_timeline_labtest.txt": ("PATIENT_ID", "START_DATE", "TEST", "RESULT"),
}
SEX, RADIATION_WORD = ("NAACCR_SEX_CODE", "SEX", "GENDER"), "Radiation Therapy"
AGE_HOW = Origin(
    "approximated", "AGE_AT_SEQUENCING in whole years, from its middle, and follow-up; capped at 89; empty where it is not told"
)
OLDEST = 130


def portal_folders(source: Path) -> list[Path]:
    """The portal's folders of a source that has no CSV tables beside them; none where there are none."""
    candidates = [source, source / PORTAL, *source.glob(f"*/{PORTAL}"), *source.glob(f"*/*/{PORTAL}")]
    return sorted({one for one in candidates if (one / DRUGS).is_file() and not (one.parent / FOLDER / PATIENTS).is_file()})


def cohort_of(folder: Path, samples: pd.DataFrame) -> str:
    """The cohort by the name of a folder above, else by the one cancer type of the specimens.

    Raises:
        InputError: neither tells.
    """
    named = [part for part in reversed(folder.absolute().parts) if part in COHORTS]
    types = set(text(samples, "CANCER_TYPE")) - {""}
    told = named or [name for name, (cancer, _) in COHORTS.items() if types == {cancer}]
    if not told:
        expected = f"expected a folder named as its cohort ({', '.join(COHORTS)}), or specimens of one of their cancers"
        raise InputError(expected, file=folder / "data_clinical_sample.txt", column="CANCER_TYPE", found=", ".join(sorted(types)) or "none")
    return told[0]


def read_portal(folder: Path, part: Converted) -> Release:
    """A portal's folder as a release.

    Raises:
        InputError: see `read_source`, `cohort_of`, `set_clocks`; a day that is none.
    """
    found = {}
    for name, columns in (REQUIRED | OPTIONAL).items():
        if name in REQUIRED or (folder / name).is_file():
            found[name] = read_source(folder / name, columns, "\t")
            part.inputs.append(folder / name)
    diagnoses, sequenced, samples = (
        found[f"data_{name}.txt"] for name in ("timeline_cancer_diagnosis", "timeline_sequencing", "clinical_sample")
    )
    index = diagnoses[_is_index(diagnoses, folder)]
    twice = set(index.loc[index.duplicated("PATIENT_ID"), "PATIENT_ID"])
    path = folder / "data_timeline_cancer_diagnosis.txt"
    part.count(path, "set aside: patients of several index cancers, whose days count from more than one", len(twice))
    birth, ageless = _births(folder, samples, sequenced)
    tell = _Told(folder, found, twice, birth, cohort_of(folder, samples), part)
    told = {name: rows for name, make in MADE.items() if (rows := make(tell)) is not None}
    release = Release(folder, told, birth_is_told=False, ageless=ageless)
    set_clocks(release, part)
    return release


def _births(folder: Path, samples: pd.DataFrame, sequenced: pd.DataFrame) -> tuple[pd.Series, frozenset[str]]:
    """Days from birth to the diagnosis of the index cancer, by patient, from the age at sequencing.

    Returns:
        days, 60 years standing in where no age is told, so that days can be counted; the patients without an age, whose age is told nowhere.

    Raises:
        InputError: an age that is no number, nor a bound such as `>89`.
    """
    day = days(sequenced, "START_DATE", folder / "data_timeline_sequencing.txt").groupby(sequenced["PATIENT_ID"]).min()
    words = text(samples, "AGE_AT_SEQUENCING")
    ages = pd.to_numeric(pd.Series(within_bounds(pa.array(words, pa.string())).to_pylist(), samples.index, dtype=object), errors="coerce")
    wrong = (words != "") & ~ages.between(0, OLDEST)
    if wrong.any():
        row, expected = samples[wrong].iloc[0], f"expected an age in years from 0 to {OLDEST}, or a bound such as >89"
        path = folder / "data_clinical_sample.txt"
        raise InputError(expected, file=path, line=int(row[LINE]), column="AGE_AT_SEQUENCING", found=row["AGE_AT_SEQUENCING"])
    age = ages.astype(float).groupby(samples["PATIENT_ID"]).min().reindex(day.index)
    return ((age.fillna(60) + 0.5) * DAYS_PER_YEAR - day).round(), frozenset(age.index[age.isna()])


class _Told:
    """The files of a folder, told in the CSV tables' words."""

    def __init__(
        self, folder: Path, files: dict[str, pd.DataFrame], twice: set[str], birth: pd.Series, cohort: str, part: Converted
    ) -> None:
        self.folder, self.files, self.twice, self.birth, self.cohort, self.part = folder, files, twice, birth, cohort, part

    def rows(self, name: str) -> pd.DataFrame | None:
        """A file without the patients who are set aside; None where it is absent."""
        found = self.files.get(name)
        return None if found is None else found[~found["PATIENT_ID"].isin(self.twice)].reset_index(drop=True)

    def once(self, name: str, rows: pd.DataFrame, key: str) -> pd.DataFrame:
        """The first row of each patient or specimen, by it; further ones are counted."""
        return self.part.once(self.folder / name, rows, key).set_index(key)

    def day(self, rows: pd.DataFrame, column: str, name: str) -> pd.Series:
        """Days of a column as text, from the index cancer's diagnosis on."""
        return _written(days(rows, column, self.folder / name))

    def from_birth(self, rows: pd.DataFrame, column: str, name: str) -> pd.Series:
        """The same from birth."""
        return _written(days(rows, column, self.folder / name) + rows["PATIENT_ID"].map(self.birth))

    def frame(self, rows: pd.DataFrame, **columns: pd.Series | str) -> pd.DataFrame:
        """A table with the patient, the one cancer of the patient, the cohort and the line of each row."""
        return pd.DataFrame(
            {"cohort": self.cohort, "record_id": rows["PATIENT_ID"], "ca_seq": "0", LINE: rows[LINE], **columns}, index=rows.index
        )


def _is_index(diagnoses: pd.DataFrame, folder: Path) -> pd.Series:
    """Which diagnoses are of an index cancer.

    Raises:
        InputError: another word than Yes or No, which would leave a cancer out without a word.
    """
    words = text(diagnoses, "INDEX_CANCER")
    strange = ~words.isin(("Yes", "No", ""))
    if strange.any():
        row, path = diagnoses[strange].iloc[0], folder / "data_timeline_cancer_diagnosis.txt"
        raise InputError("expected Yes or No", file=path, line=int(row[LINE]), column="INDEX_CANCER", found=row["INDEX_CANCER"])
    return words == "Yes"


def _written(numbers: pd.Series) -> pd.Series:
    return numbers.map(lambda value: "" if pd.isna(value) else str(int(value)))


def _patients(told: _Told) -> pd.DataFrame:
    rows = told.rows("data_clinical_patient.txt")
    assert rows is not None
    survival = told.rows("data_clinical_supp_survival.txt")
    end, died = pd.Series(np.nan, index=rows.index), pd.Series(False, index=rows.index)
    if survival is not None:
        mine = told.once("data_clinical_supp_survival.txt", survival, "PATIENT_ID")
        months = pd.to_numeric(text(mine, "OS_MONTHS"), errors="coerce").reindex(rows["PATIENT_ID"]).to_numpy()
        end = pd.Series(np.round(months * DAYS_PER_MONTH), index=rows.index) + rows["PATIENT_ID"].map(told.birth)
        died = pd.Series(text(mine, "OS_STATUS").str.startswith("1").reindex(rows["PATIENT_ID"]).eq(True).to_numpy(), index=rows.index)
    return told.frame(
        rows, naaccr_sex_code=text(rows, *SEX), hybrid_death_int=_written(end.where(died)), last_alive_int=_written(end.where(~died))
    )


def _cancers(told: _Told) -> pd.DataFrame:
    rows = told.rows("data_timeline_cancer_diagnosis.txt")
    assert rows is not None
    rows = rows[_is_index(rows, told.folder)]
    return told.frame(
        rows,
        dob_ca_dx_days=_written(rows["PATIENT_ID"].map(told.birth)),
        stage_dx=text(rows, "STAGE_DX"),
        ca_histology=text(rows, "CA_HISTOLOGY"),
    )


def _regimens(told: _Told) -> pd.DataFrame:
    rows = told.rows(DRUGS)
    assert rows is not None
    rows = rows[text(rows, "TREATMENT_TYPE") != RADIATION_WORD]
    number = pd.Series(range(1, len(rows) + 1), index=rows.index).astype(str)
    starts = {"drugs_startdt_int_1": told.from_birth(rows, "START_DATE", DRUGS), "dx_drug_start_int_1": told.day(rows, "START_DATE", DRUGS)}
    ends = {"dx_drug_end_int_1": told.day(rows, "STOP_DATE", DRUGS)}
    return told.frame(rows, regimen_number=number, drugs_drug_1=text(rows, "AGENT"), **starts, **ends)


def _radiation(told: _Told) -> pd.DataFrame | None:
    rows = told.rows(DRUGS)
    assert rows is not None
    rows = rows[text(rows, "TREATMENT_TYPE") == RADIATION_WORD]
    length = days(rows, "STOP_DATE", told.folder / DRUGS) - days(rows, "START_DATE", told.folder / DRUGS)
    return told.frame(rows, dx_rt_start_days=told.day(rows, "START_DATE", DRUGS), rt_rt_int=_written(length)) if len(rows) else None


def _imaging(told: _Told) -> pd.DataFrame:
    name = "data_timeline_imaging.txt"
    rows = told.rows(name)
    assert rows is not None
    words = {
        "image_ca": "CANCER_STATUS",
        "image_overall": "CURATED_CANCER_STATUS",
        "image_scan_type": "IMAGE_SCAN_TYPE",
        "scan_sites": "SCAN_SITES",
    }
    both = {"image_scan_int": told.from_birth(rows, "START_DATE", name), "dx_scan_days": told.day(rows, "START_DATE", name)}
    return told.frame(rows, **both, **{ours: text(rows, theirs) for ours, theirs in words.items()})


def _panels(told: _Told) -> pd.DataFrame:
    name = "data_timeline_sequencing.txt"
    rows, samples = told.rows(name), told.rows("data_clinical_sample.txt")
    assert rows is not None
    assert samples is not None
    mine = told.once("data_clinical_sample.txt", samples, "SAMPLE_ID").reindex(rows["SAMPLE_ID"]).set_index(rows.index)
    words = {"cpt_seq_assay_id": "SEQ_ASSAY_ID", "cpt_oncotree_code": "ONCOTREE_CODE", "sample_type": "SAMPLE_TYPE"}
    link = {
        "path_proc_number": rows["SAMPLE_ID"],
        "cpt_genie_sample_id": rows["SAMPLE_ID"],
        "dob_cpt_report_days": told.from_birth(rows, "START_DATE", name),
    }
    return told.frame(rows, **link, **{ours: text(mine, theirs) for ours, theirs in words.items()})


def _pathology(told: _Told) -> pd.DataFrame | None:
    """The procedures that specimens come from, numbered by the specimen, and PD-L1."""
    parts = []
    for name, number, pdl1 in (
        ("data_timeline_sample_acquisition.txt", "SAMPLE_ID", ""),
        ("data_timeline_pathology.txt", "", "PDL1_POSITIVE_ANY"),
    ):
        rows = told.rows(name)
        if rows is not None:
            both = {"path_proc_int": told.from_birth(rows, "START_DATE", name), "dx_path_proc_days": told.day(rows, "START_DATE", name)}
            parts.append(told.frame(rows, path_proc_number=text(rows, number), pdl1_positive_any=text(rows, pdl1), **both))
    return pd.concat(parts, ignore_index=True) if parts else None


def _markers(told: _Told) -> pd.DataFrame | None:
    name = "data_timeline_labtest.txt"
    rows = told.rows(name)
    if rows is None:
        return None
    both = {"tm_spec_collect_int": told.from_birth(rows, "START_DATE", name), "dx_tm_days": told.day(rows, "START_DATE", name)}
    return told.frame(
        rows, tm_type=text(rows, "TEST"), tm_num_result=text(rows, "RESULT"), tm_result_units=text(rows, "RESULT_UNITS"), **both
    )


MADE: dict[str, Callable[[_Told], pd.DataFrame | None]] = {
    PATIENTS: _patients, CANCERS: _cancers, REGIMENS: _regimens, IMAGING: _imaging, PANELS: _panels,
    PATHOLOGY: _pathology, MARKERS: _markers, RADIATION: _radiation,
}  # fmt: skip


def origins_of(origins: dict[str, Origin]) -> dict[str, Origin]:
    """Where columns come from, of this folder: by the CSV columns whose place its timelines take."""
    found = {
        name: Origin(one.status, f"cBioPortal_files in place of: {one.how}" if one.status != "absent" else one.how)
        for name, one in origins.items()
    }
    return found | ({"clinical_patient.CURRENT_AGE_DEID": AGE_HOW} if "clinical_patient.CURRENT_AGE_DEID" in found else {})
