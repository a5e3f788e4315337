"""The CSV tables of one release of GENIE BPC, and the birth clock on which all of its events can be placed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from oncoraft.cohort.conversion import Converted
from oncoraft.cohort.source_tables import LINE, coalesced, days, read_source
from oncoraft.foundation.errors import InputError

FOLDER, PORTAL = "clinical_data", "cBioPortal_files"
PATIENTS, CANCERS, OTHER_CANCERS = "patient_level_dataset.csv", "cancer_level_dataset_index.csv", "cancer_level_dataset_non_index.csv"
PANELS = "cancer_panel_test_level_dataset.csv"
# File -> columns without which it cannot be read; None: a release may lack it.
REQUIRED = {
    PATIENTS: ("record_id",),
    CANCERS: ("cohort", "record_id", "ca_seq", "dob_ca_dx_days"),
    "regimen_cancer_level_dataset.csv": ("record_id", "ca_seq", "regimen_number", "drugs_drug_1"),
    "imaging_level_dataset.csv": ("record_id", "image_ca", "image_overall"),
    PANELS: ("record_id", "ca_seq", "cpt_genie_sample_id", "dob_cpt_report_days"),
}
OPTIONAL = {
    OTHER_CANCERS: ("record_id", "ca_seq", "dob_ca_dx_days"),
    "pathology_report_level_dataset.csv": ("record_id",),
    "med_onc_note_level_dataset.csv": ("record_id",),
    "tm_level_dataset.csv": ("record_id", "tm_type", "tm_num_result"),
    "ca_radtx_dataset.csv": ("record_id", "ca_seq", "dx_rt_start_days"),
}
IMAGING, REGIMENS, PATHOLOGY = "imaging_level_dataset.csv", "regimen_cancer_level_dataset.csv", "pathology_report_level_dataset.csv"
KEYS = ("ca_seq", "regimen_number", "path_proc_number")
MARKERS, RADIATION = "tm_level_dataset.csv", "ca_radtx_dataset.csv"


@dataclass
class Release:
    """The tables of one cohort's release as text, and the birth clock of its patients.

    Attributes:
        cancers: index and other cancers: record_id, ca_seq, is_index, birth_day (of the diagnosis, from birth), and their columns.
        zero: record_id -> first sequencing report, days from birth. Patients who are not there have none and are set aside.
        first: record_id -> diagnosis of the first index cancer, days from birth.
        birth_is_told: days from birth are the release's own; else they count from a day that stands in for it, another in every folder.
        ageless: patients of whom such a release tells no age either.
    """

    folder: Path
    tables: dict[str, pd.DataFrame]
    cancers: pd.DataFrame = field(default_factory=pd.DataFrame)
    zero: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    first: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    birth_is_told: bool = True
    ageless: frozenset[str] = frozenset()

    def path(self, name: str) -> Path:
        """A file of the release."""
        return self.folder / name

    def own_diagnosis(self, rows: pd.DataFrame) -> pd.Series:
        """The day from birth of the diagnosis that each row's `ca_seq` names; missing where the cancer is not there."""
        key = pd.MultiIndex.from_frame(rows[["record_id", "ca_seq"]])
        return pd.Series(self.cancers.set_index(["record_id", "ca_seq"])["birth_day"].reindex(key).to_numpy(), index=rows.index)

    def first_diagnosis(self, rows: pd.DataFrame) -> pd.Series:
        """The day from birth of each row's patient's first index cancer."""
        return rows["record_id"].map(self.first).astype(float)

    def from_zero(self, rows: pd.DataFrame, birth_day: pd.Series) -> pd.Series:
        """Days from birth as days from the patient's first sequencing."""
        return birth_day - rows["record_id"].map(self.zero).astype(float)


def releases(source: Path) -> list[Path]:
    """The folders of CSV tables: the source itself, `clinical_data` in it, or those of several cohorts and versions below it.

    Raises:
        InputError: there is none, or one cohort in two versions.
    """
    found = [folder for folder in (source, source / FOLDER) if (folder / PATIENTS).is_file()][:1]
    found = found or sorted(path.parent for pattern in (f"*/{FOLDER}", f"*/*/{FOLDER}") for path in source.glob(f"{pattern}/{PATIENTS}"))
    if not found:
        raise InputError(f"expected a release of GENIE BPC: {FOLDER}/{PATIENTS} in it or below it", file=source)
    cohorts = [folder.parents[1] for folder in found if folder.name == FOLDER]
    for one in cohorts:
        if cohorts.count(one) > 1 and one != source.parent:
            raise InputError("expected one version of each cohort; take the others away", file=one, found=f"{cohorts.count(one)}")
    return found


def read_release(folder: Path, part: Converted) -> Release:
    """Every table of a folder, and its clocks.

    Raises:
        InputError: see `read_source`, `set_clocks`.
    """
    release = Release(folder, {})
    for name, columns in (REQUIRED | OPTIONAL).items():
        if name in REQUIRED or (folder / name).is_file():
            rows = read_source(folder / name, columns)
            # Tools that know no missing integer write a key as 1.0, which would join with nothing.
            release.tables[name] = rows.assign(**{key: rows[key].str.replace(r"\.0+$", "", regex=True) for key in KEYS if key in rows})
            part.inputs.append(folder / name)
    set_clocks(release, part)
    return release


def end_of_follow_up(patients: pd.DataFrame, path: Path) -> pd.Series:
    """The day of death, else the last day that a patient was known to be alive, from birth."""
    alive = ("last_alive_int", "last_anyvisit_int", "last_oncvisit_int")
    return coalesced(days(patients, name, path) for name in ("hybrid_death_int", *alive))


def set_clocks(release: Release, part: Converted) -> None:
    """Diagnoses from birth, the first index cancer, day 0 of each patient.

    Raises:
        InputError: no patient or no cancer at all, a cancer twice, a day that is none, or no patient with a sequencing report.
    """
    for name in (PATIENTS, CANCERS):
        if release.tables[name].empty:
            raise InputError("expected at least one row", file=release.path(name), found="none")
    found = []
    for name in (CANCERS, OTHER_CANCERS):
        if name in release.tables:
            rows = release.tables[name]
            found.append(rows.assign(birth_day=days(rows, "dob_ca_dx_days", release.path(name)), is_index=name == CANCERS))
    cancers = pd.concat(found, ignore_index=True)
    # The two tables have other columns: what one lacks is an empty cell, as in a file.
    cancers = cancers.fillna(dict.fromkeys(cancers.columns.difference(["birth_day"]), ""))
    twice = cancers.duplicated(["record_id", "ca_seq"])
    if twice.any():
        row = cancers[twice].iloc[0]
        name = CANCERS if row["is_index"] else OTHER_CANCERS
        raise InputError(
            "expected each record_id and ca_seq once", file=release.path(name), line=int(row[LINE]), column="ca_seq", found=row["ca_seq"]
        )
    release.cancers = cancers
    release.first = cancers[cancers["is_index"]].groupby("record_id")["birth_day"].min()
    panels, path = release.tables[PANELS], release.path(PANELS)
    reported = days(panels, "dob_cpt_report_days", path)
    part.count(path, "set aside: a panel without the day of its report", int(reported.isna().sum()))
    zero = reported.groupby(panels["record_id"]).min().dropna()
    patients, path = release.tables[PATIENTS], release.path(PATIENTS)
    end = end_of_follow_up(patients, path)
    end = end.groupby(patients["record_id"]).max().reindex(zero.index)
    part.count(path, "set aside: patients without a sequencing report", int((~patients["record_id"].isin(zero.index)).sum()))
    part.count(path, "set aside: patients sequenced after the end of their follow-up", int((end < zero).sum()))
    # A patient whose follow-up is unknown stays: without survival, as in the other layout.
    release.zero = zero[~(end < zero)]
    if not patients["record_id"].isin(release.zero.index).any():
        raise InputError("expected at least one patient with a sequencing report and follow-up after it", file=release.path(PANELS))


def share_day_zero(found: Sequence[Release], made: Converted) -> None:
    """One day 0 for a patient of several cohorts: the earliest report in any of them.

    Where birth is not told, the days of two cohorts have nothing in common, and such patients are set aside.

    Raises:
        InputError: nobody is left.
    """
    zeros = pd.concat([release.zero for release in found])
    several = set(zeros.index[zeros.index.duplicated()])
    first = zeros.groupby(level=0).min()
    for release in found:
        mine = release.zero.index
        release.zero = first.reindex(mine) if release.birth_is_told else release.zero[~mine.isin(several)]
        if not release.birth_is_told:
            made.count(
                release.path(PATIENTS),
                "set aside: patients of several cohorts, whose days have nothing in common",
                int(mine.isin(several).sum()),
            )
    if all(release.zero.empty for release in found):
        raise InputError("expected at least one patient who stands in one cohort alone", file=found[0].folder, found="none")
