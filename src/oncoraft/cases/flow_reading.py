"""What the flow counts, read one range of patients after another: with numbers instead of ids, which take a tenth of the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cases.flow_comparisons import LabelCounts
from oncoraft.cases.flow_tables import scans_in_windows
from oncoraft.cases.tables import coded, ranges_of, spelt
from oncoraft.foundation.ranges import Range, RangedTable
from oncoraft.planning.config import Labels


class Found(NamedTuple):
    """Tables of all cases; case_id and patient_id are numbers, and so are words within pandas (`spelt` gives them back).

    patients, treated: how many are in the study, and how many of them have a treatment recorded. cases, people (clinical_patient of the
    patients with a case), followed (cases with follow-up of `os`), folds, chosen (labels of the definition that trains, with the case's
    patient, cancer type and drug class), scans (from `scans_in_windows`). labels: what is counted of all definitions.
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
            yield spelt(self.folds[self.folds["design"] == design])


def read(tables: Mapping[str, RangedTable], made: Mapping[str, RangedTable], settings: Labels) -> Found:
    """Read what the flow counts.

    Args:
        tables: clinical_patient, timeline_treatment, timeline_progression.
        made: cases, followup, folds.
        settings: windows, and which definition trains.
    """
    everybody, given = (tables[name].ids() for name in ("clinical_patient", "timeline_treatment"))
    treated = int(pc.sum(pc.is_in(everybody, value_set=given)).as_py() or 0)
    counted, labels = LabelCounts(), coded(made["labels"])
    sources = {"cases": coded(made["cases"]), "people": coded(tables["clinical_patient"]), "folds": coded(made["folds"])}
    parts: dict[str, list[pa.Table]] = {name: [] for name in ("cases", "people", "followed", "folds", "chosen", "scans")}
    done = np.zeros(2, dtype=np.int32)  # cases and patients of the ranges before
    for one in ranges_of(made["cases"]):
        cases, people = made["cases"].rows(one.case_ids), tables["clinical_patient"].rows(one.patient_ids)
        scans = scans_in_windows(cases, people, tables["timeline_progression"].rows(one.patient_ids), settings)
        own = {name: table.table(one.patient_ids if name == "people" else one.case_ids) for name, table in sources.items()}
        followed, told = made["followup"].table(one.case_ids), labels.table(one.case_ids)
        counted.add(told)
        own["cases"] = own["cases"].drop_columns(["index_day", "next_treatment_day"])
        own["scans"] = pa.Table.from_pandas(scans.astype({"cancer_type": "category"}), preserve_index=False)
        own["followed"] = followed.filter(pc.equal(followed["endpoint"], "os")).select(["case_id"])
        own["chosen"] = told.filter(pc.equal(told["definition"], settings.definition)).drop_columns(["definition", "scan_days"])
        own = {name: _numbered(table, one, done) for name, table in own.items()}
        place = pc.index_in(own["chosen"]["case_id"], value_set=own["cases"]["case_id"].combine_chunks())
        for name in ("patient_id", "cancer_type", "drug_class"):
            own["chosen"] = own["chosen"].append_column(name, own["cases"][name].take(place))
        for name, table in own.items():
            parts[name].append(table.combine_chunks())
        done += (len(one.case_ids), len(one.patient_ids))
    joined = {name: pa.concat_tables(parts.pop(name), promote_options="permissive").to_pandas(ignore_metadata=True) for name in list(parts)}
    joined["chosen"]["responder"] = joined["chosen"]["responder"].astype("boolean")
    return Found(len(everybody), treated, **joined, labels=counted)


def _numbered(table: pa.Table, one: Range, done: np.ndarray) -> pa.Table:
    """The same rows with numbers of cases and patients; `done`: how many of both are in the ranges before."""
    for column, ids, before in zip(("case_id", "patient_id"), one, done.tolist()):
        if column in table.column_names:
            number = pc.add(pc.index_in(table[column], value_set=ids), pa.scalar(before, pa.int32()))
            table = table.set_column(table.column_names.index(column), column, number)
    return table
