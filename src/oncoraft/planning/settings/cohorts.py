"""Blocks of further cohorts: where each comes from, what it is for, who of it may be judged."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from oncoraft.planning.settings.base import Block, Fraction, PathText

ReaderName = Literal["cbioportal", "genie_bpc", "csv", "meds"]
WITH_TWIN = ("cbioportal", "genie_bpc")
WITH_CURATED_READINGS = ("genie_bpc", "csv")


class SecondTwin(Block):
    """The synthetic stand-in for a further cohort that one may not have."""

    patients: int = Field(1500, ge=50, description="Patients to make.")
    seed: int = Field(2, ge=0, description="Another seed is another population with the same laws.")
    overlap: int = Field(0, ge=0, description="How many patients of the configured cohort's own twin stand in it too (reader genie_bpc).")

    @model_validator(mode="after")
    def _overlap_fits(self) -> SecondTwin:
        if self.overlap > self.patients:
            raise ValueError(f"overlap: expected at most {self.patients}, the patients of this twin, found {self.overlap}")
        return self


class Cohort(Block):
    """A cohort by name: its study, how that is laid out, and what it is for."""

    role: Literal["develop", "validate"] = Field(
        description="develop: models are trained on it (one cohort, whose name and study stand for `cohort` and `study`); validate: those models are applied to it, unchanged."
    )
    study: PathText | None = Field(None, description="Folder of the study or release; null: make a twin in the layout of the reader.")
    reader: ReaderName = Field(
        "cbioportal",
        description="cbioportal: MSK-CHORD's layout; genie_bpc: the CSV tables of a GENIE BPC release; csv: tables of one's own, by `mapping`; meds: what `oncoraft export-meds` wrote.",
    )
    mapping: PathText | None = Field(
        None,
        description="Mapping file of reader csv; of reader cbioportal the file that says which day its times count from (docs/external.md).",
    )
    twin: SecondTwin = SecondTwin()

    @model_validator(mode="after")
    def _can_be_read(self) -> Cohort:
        if self.reader == "csv" and self.mapping is None:
            raise ValueError("mapping: expected the file that says which column is which, for reader csv")
        if self.reader in ("genie_bpc", "meds") and self.mapping is not None:
            raise ValueError(f"mapping: expected none: reader {self.reader} knows its columns")
        if self.study is None and self.reader not in WITH_TWIN:
            raise ValueError(f"study: expected a folder; there is no twin in the layout of reader {self.reader}")
        if self.twin.overlap and self.reader != "genie_bpc":
            raise ValueError("twin.overlap: expected reader genie_bpc; other twins share nobody")
        return self


class Pooling(Block):
    """Models trained on the configured cohort and those that validate, as one cohort called `pooled`."""

    designs: tuple[Literal["kfold", "leave_cohort_out"], ...] = Field(
        (),
        description="kfold: folds by patient over both cohorts; leave_cohort_out: each cohort is judged by a model of the others. None by default: these train models of their own.",
    )

    @model_validator(mode="after")
    def _once(self) -> Pooling:
        if len(set(self.designs)) < len(self.designs):
            raise ValueError("designs: expected each design once")
        return self


class External(Block):
    """External validation: who may be judged, and recalibration on a share of the second cohort, shown beside."""

    id_prefixes: tuple[str, ...] = Field(
        ("GENIE-MSK-",),
        description="Prefixes without which an id of one cohort is that of the other: whole ids are compared, nothing fuzzy.",
    )
    centre_pattern: str = Field("^GENIE-([A-Za-z]+)-", description="Regular expression whose group is the centre in a patient's id.")
    shared_centres: tuple[str, ...] = Field(
        ("MSK",),
        description="Centres left out whole, matched or not: the text models behind MSK-CHORD's labels were trained on that centre's curated patients. []: matched patients alone are left out.",
    )
    shared_patients: PathText | None = Field(None, description="File of further patients to leave out, an id of the second cohort a line.")
    recalibration_share: Fraction = Field(
        0.3, gt=0, lt=1, description="Share of the second cohort's patients on whom recalibration is fitted, to be tried on the others."
    )
    seed: int = Field(59, description="Draws those patients.")

    def bare(self, name: str) -> str:
        """An id without the first of the prefixes that it begins with: what both cohorts call the patient."""
        lower = name.lower()
        return next((name[len(prefix) :] for prefix in self.id_prefixes if lower.startswith(prefix.lower())), name)

    def key(self, name: str) -> str:
        """An id as two cohorts are held against one another: bare, in whatever case, since an export may write ids in lower case."""
        return self.bare(name).casefold()

    @model_validator(mode="after")
    def _pattern_has_a_group(self) -> External:
        try:
            groups = re.compile(self.centre_pattern).groups
        except re.error as error:
            raise ValueError(f"centre_pattern: expected a regular expression ({error})") from None
        if groups != 1:
            raise ValueError(f"centre_pattern: expected one group, found {groups}")
        return self
