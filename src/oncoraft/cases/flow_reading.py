"""What the flow counts, read one range of patients after another: with numbers instead of ids, which take a tenth of the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from oncoraft.cases.flow_comparisons import LabelCounts
from oncoraft.cases.flow_tables import scans_in_windows
from oncoraft.cases.tables import ranges_of
from oncoraft.foundation.ranges import RangedTable
from oncoraft.planning.config import Labels

CODED = ("case_id", "definition", "category", "local_treatment_between", "reason")


class Found(NamedTuple):
    """Tables of all cases; case_id and patient_id are numbers.

    patients, treated: how many are in the study, and how many of them have a treatment recorded. cases, people (clinical_patient of the
    patients with a case), followed (cases with follow-up of `os`), folds, chosen (labels of the definition that trains), scans (from
    `scans_in_windows`). labels: what is counted of all definitions.
    """

    patients: int
    treated: int
    cases: pd.DataFrame
    people: pd.DataFrame
    followed: pd.DataFrame
    folds: pd.DataFrame
    chosen: pd.DataFrame
    scans: pd.DataFrame
    labels: LabelCounts

    def designs(self) -> Iterator[pd.DataFrame]:
        """Folds of one design after another, in their order."""
        for design in sorted(self.folds["design"].cat.categories):
            yield self.folds[self.folds["design"] == design].astype({"design": object})


def read(tables: Mapping[str, RangedTable], made: Mapping[str, RangedTable], settings: Labels) -> Found:
    """Read what the flow counts.

    Args:
        tables: clinical_patient, timeline_treatment, timeline_progression.
        made: cases, followup, folds.
        settings: windows, and which definition trains.
    """
    counted, labels = LabelCounts(), RangedTable(made["labels"].path, "case_id", made["labels"].columns, CODED)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("cases", "people", "followed", "folds", "chosen", "scans")}
    done = np.zeros(2, dtype=np.int32)  # cases and patients of the ranges before
    for one in ranges_of(made["cases"]):
        case_ids, owners = (pd.Index(ids.to_pandas()) for ids in one)
        own = {"cases": made["cases"].rows(one.case_ids), "people": tables["clinical_patient"].rows(one.patient_ids)}
        own["scans"] = scans_in_windows(own["cases"], own["people"], tables["timeline_progression"].rows(one.patient_ids), settings)
        followed = made["followup"].table(one.case_ids)
        own["followed"] = followed.filter(pc.equal(followed["endpoint"], "os")).select(["case_id"]).to_pandas()
        own["folds"] = made["folds"].rows(one.case_ids)
        told = labels.table(one.case_ids)
        counted.add(told)
        rows = told.filter(pc.equal(told["definition"], settings.definition)).drop_columns(["definition", "scan_days"])
        own["chosen"] = rows.cast(made["labels"].file.schema_arrow.empty_table().select(rows.column_names).schema).to_pandas()
        for name, frame in own.items():
            for column, ids, before in (("case_id", case_ids, done[0]), ("patient_id", owners, done[1])):
                if column in frame:
                    frame[column] = (ids.get_indexer(pd.Index(frame[column])) + before).astype(np.int32)
            parts[name].append(frame)
        done += (len(case_ids), len(owners))
    joined = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    joined["folds"]["design"] = joined["folds"]["design"].astype("category")
    people, given = (tables[name].ids() for name in ("clinical_patient", "timeline_treatment"))
    treated = int(pc.sum(pc.is_in(people, value_set=given)).as_py() or 0)
    return Found(len(people), treated, **joined, labels=counted)
