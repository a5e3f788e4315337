"""What the flow counts, read one range of patients after another: with numbers instead of ids, which take a tenth of the memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.cases.flow_comparisons import LabelCounts
from oncoraft.cases.flow_tables import scans_in_windows
from oncoraft.cases.tables import coded, ranges_of
from oncoraft.foundation.ranges import ROWS, Range, RangedTable
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


class Words:
    """A column of words, put together range by range: a number of each row's word, in as few bytes as hold it."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.codes: list[np.ndarray] = []

    def add(self, column: pa.ChunkedArray) -> None:
        """Take in more rows, which have numbers of dictionaries of their own."""
        for chunk in column.chunks:
            own = [self.numbers.setdefault(word, len(self.numbers)) for word in chunk.dictionary.to_pylist()]
            least = np.min_scalar_type(-1 - len(self.numbers))
            places = np.array([*own, -1], dtype=least)  # the last for rows without a word
            self.codes.append(places[chunk.indices.fill_null(len(own)).to_numpy()])

    def whole(self) -> pd.Categorical:
        """All rows."""
        codes = np.concatenate(self.codes)
        self.codes.clear()
        return pd.Categorical.from_codes(cast("Sequence[int]", codes), pd.Index(list(self.numbers), dtype=object))


class Rows:
    """A table that is put together range by range."""

    def __init__(self) -> None:
        self.words: dict[str, Words] = {}
        self.rest: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Take in more rows, of the same columns."""
        for name in [field.name for field in table.schema if pa.types.is_dictionary(field.type)]:
            self.words.setdefault(name, Words()).add(table[name])
        self.rest.append(table.drop_columns(list(self.words)).combine_chunks())

    def whole(self) -> pd.DataFrame:
        """All rows."""
        frame = pa.concat_tables(self.rest).to_pandas(ignore_metadata=True)
        self.rest.clear()
        for name, words in self.words.items():
            frame[name] = words.whole()
        return frame


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
    sources = {"cases": coded(made["cases"]), "people": coded(tables["clinical_patient"])}
    parts = {name: Rows() for name in ("cases", "people", "followed", "chosen", "scans", "folds")}
    done = np.zeros(2, dtype=np.int32)  # cases and patients of the ranges before
    ranges = ranges_of(made["cases"])
    for one in ranges:
        pa.default_memory_pool().release_unused()  # or what was read for a range before would be held beside this one's
        cases, people = made["cases"].rows(one.case_ids), tables["clinical_patient"].rows(one.patient_ids)
        scans = scans_in_windows(cases, people, tables["timeline_progression"].rows(one.patient_ids), settings)
        own = {name: table.table(one.patient_ids if name == "people" else one.case_ids) for name, table in sources.items()}
        followed, told = made["followup"].table(one.case_ids), labels.table(one.case_ids)
        counted.add(told)
        own["cases"] = own["cases"].drop_columns(["index_day", "next_treatment_day"])
        # The first day, too, has one type, whether or not each case of the range has one.
        types = {"cancer_type": "category", "scans": "int16", "indeterminate": "int16", "first": "float64"}
        own["scans"] = pa.Table.from_pandas(scans.astype(types), preserve_index=False)
        own["followed"] = followed.filter(pc.equal(followed["endpoint"], "os")).select(["case_id"])
        own["chosen"] = told.filter(pc.equal(told["definition"], settings.definition)).drop_columns(["definition", "scan_days"])
        own = {name: _numbered(table, one, done) for name, table in own.items()}
        place = pc.index_in(own["chosen"]["case_id"], value_set=own["cases"]["case_id"].combine_chunks())
        for name in ("patient_id", "cancer_type", "drug_class"):
            own["chosen"] = own["chosen"].append_column(name, own["cases"][name].take(place))
        for name, table in own.items():
            parts[name].add(table)
        done += (len(one.case_ids), len(one.patient_ids))
    for source in (*tables.values(), *made.values(), *sources.values(), labels):
        source.forget()
    pa.default_memory_pool().release_unused()
    for table in _folds(made["folds"], pa.concat_arrays([one.case_ids for one in ranges])):
        parts["folds"].add(table)
    joined = {name: rows.whole() for name, rows in parts.items()}
    owners = np.empty(done[0], dtype=np.int32)
    owners[joined["cases"]["case_id"]] = joined["cases"]["patient_id"]
    joined["folds"]["patient_id"] = owners[joined["folds"]["case_id"]]
    joined["chosen"]["responder"] = joined["chosen"]["responder"].astype("boolean")
    return Found(len(everybody), treated, **joined, labels=counted)


def _folds(folds: RangedTable, case_ids: pa.Array) -> Iterator[pa.Table]:
    """Folds of some cases, sorted by id, with numbers of them; a batch at a time, since folds are written as one row group."""
    table = RangedTable(folds.path, "case_id", ["case_id", "design", "fold", "is_tuning"], ["design"])
    nothing = table.file.schema_arrow.empty_table().select(table.columns)
    yield nothing.set_column(0, "case_id", pa.array([], pa.int32()))
    for batch in table.file.iter_batches(ROWS, columns=table.columns, use_threads=False):
        rows = pa.table(batch).filter(pc.is_valid(batch["case_id"]))
        if rows.num_rows:
            # To look an id up among all of the cohort would take a table of them for every batch.
            least, most = (pc.min_max(rows["case_id"])[name].as_py() for name in ("min", "max"))
            start = bisect_left(range(len(case_ids)), least, key=lambda place: case_ids[place].as_py())
            stop = bisect_right(range(len(case_ids)), most, key=lambda place: case_ids[place].as_py())
            place = pc.index_in(rows["case_id"], value_set=case_ids.slice(start, stop - start))
            rows = rows.set_column(0, "case_id", pc.add(place, pa.scalar(start, pa.int32())))
            yield rows.filter(pc.is_valid(place))


def _numbered(table: pa.Table, one: Range, done: np.ndarray) -> pa.Table:
    """The same rows with numbers of cases and patients; `done`: how many of both are in the ranges before."""
    for column, ids, before in zip(("case_id", "patient_id"), one, done.tolist()):
        if column in table.column_names:
            number = pc.add(pc.index_in(table[column], value_set=ids), pa.scalar(before, pa.int32()))
            table = table.set_column(table.column_names.index(column), column, number)
    return table
