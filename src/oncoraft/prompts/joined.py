"""Prompts with label and answer, joined by case, a patient range at a time: what training files and token ids are made of.

Prompts and rationales stand in the order of case ids as `render` and `rationales` write them, and are then read line by line; a file in
another order is read whole and sorted. Who is in which part of a fold is decided by `outline`, which holds no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.answers import answer_text
from oncoraft.artefacts import read_table, refuse_repeated, rows_where
from oncoraft.evidence.reading import open_cases, ranges_of
from oncoraft.fold_files import case_of
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import iterate_rows, read_jsonl
from oncoraft.foundation.ranges import Range

PROMPT_KEYS = ("case_id", "instruction", "input", "prompt_tokens", "cut")
RATIONALE_KEYS = ("case_id", "rationale")
OF_LABEL = ["case_id", "category", "score", "responder"]
OF_FOLD = ["case_id", "design", "fold", "is_tuning"]
ARROW_TEXT = {pa.string(): pd.ArrowDtype(pa.string())}.get  # for `to_pandas`
AT_ONCE = 65_536  # ids that are texts of Python before they are Arrow's, a third as large


def read_labels(folder: Path, definition: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Labels of one definition.

    Args:
        folder: of cases.
        definition: whose labels.
        columns: the only ones wanted; None: all.

    Raises:
        InputError: the file is absent, or the definition is not in it.
    """
    path = _label_file(folder)
    needed = list(dict.fromkeys(["case_id", "definition", *(columns or ())]))
    if columns is not None:
        return label_rows(folder, definition, needed).to_pandas()
    found = read_table(path, needed, filters=[("definition", "==", definition)], whole=True)
    if found.empty:
        raise InputError(f"expected labels of definition {definition!r}", file=path, column="definition")
    return found


def label_rows(folder: Path, definition: str, columns: Sequence[str]) -> pa.Table:
    """The same columns, `case_id` among them, as Arrow has them.

    Raises:
        InputError: as `read_labels`, or a case has two labels.
    """
    path = _label_file(folder)
    found = rows_where(path, columns, "definition", definition)
    if not found.num_rows:
        raise InputError(f"expected labels of definition {definition!r}", file=path, column="definition")
    refuse_repeated(found["case_id"], f"one label of a case by definition {definition!r}", path, "case_id")
    return found


def fold_rows(folder: Path, design: str) -> pd.DataFrame:
    """Of `folds.parquet` the rows of one design: case_id, design, fold, is_tuning; ids stay with Arrow.

    Raises:
        InputError: the file is absent or not what it should be, or a case stands in two folds.
    """
    path = folder / "folds.parquet"
    found = rows_where(path, OF_FOLD, "design", design)
    refuse_repeated(found["case_id"], f"one fold of a case by design {design!r}", path, "case_id")
    for name in ("fold", "is_tuning"):
        if missing := found[name].null_count:
            raise InputError(f"expected it of every case of design {design!r}", file=path, column=name, found=f"nothing in {missing} rows")
    return found.to_pandas(types_mapper=ARROW_TEXT)


def _label_file(folder: Path) -> Path:
    if not (path := folder / "labels.parquet").is_file():
        raise InputError("expected labels written by `oncoraft labels`", file=path)
    return path


def join(prompts: list[dict[str, Any]], rationales: list[dict[str, Any]], cases: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Prompts with label and answer, one row a case; the answer of a case without score or rationale is empty.

    Raises:
        InputError: a case has no prompt, or a prompt or rationale belongs to no case.
    """
    told, taught = (pa.array([row["case_id"] for row in rows], pa.string()) for rows in (prompts, rationales))
    refuse_strangers(told, taught, _ids(cases))
    frame = cases[["case_id", "patient_id"]].merge(pd.DataFrame(prompts), on="case_id")
    frame = frame.merge(labels[OF_LABEL], on="case_id", how="left", validate="one_to_one")
    texts = frame["case_id"].map({row["case_id"]: row["rationale"] for row in rationales})
    has = frame["score"].notna() & texts.notna()
    frame["output"] = [answer_text(score, text) if told else "" for score, text, told in zip(frame["score"], texts, has)]
    return frame.sort_values("case_id", kind="stable")


def _ids(frame: pd.DataFrame) -> pa.Array:
    return pa.array(frame["case_id"], pa.string())


def refuse_strangers(prompts: pa.Array, rationales: pa.Array, cases: pa.Array) -> None:
    """Every case must have a prompt, and every prompt and rationale a case; all by case id.

    Raises:
        InputError: one has none; says how many, and the first.
    """

    def beyond(some: pa.Array, others: pa.Array) -> pa.Array:
        # As a rule they are the same in the same order, and a set of a large cohort's ids is large.
        return some.slice(0, 0) if some == others else pc.unique(some.filter(pc.invert(pc.is_in(some, value_set=others))))

    for what, found in (("prompt", prompts), ("rationale", rationales)):
        if len(strange := beyond(found, cases)):
            wanted = f"expected every {what} to belong to a case; {len(strange)} do not, the first"
            raise InputError(wanted, found=pc.min(strange).as_py())
        if what == "prompt" and len(absent := beyond(cases, found)):
            raise InputError(f"expected a prompt of every case; {len(absent)} have none, the first", found=pc.min(absent).as_py())


class ByCase:
    """Rows of a JSONL file in the order of their case ids, of one range after the other."""

    def __init__(self, path: Path, keys: Sequence[str]) -> None:
        """Look through it.

        Args:
            path: the file.
            keys: what every row must have.

        Raises:
            InputError: as `read_jsonl`, of a file that is not in the order of case ids, or has one twice; of others, when they are read.
        """
        begun = self._begun(path)
        if begun is None:
            rows = sorted(read_jsonl(path, keys, once="case_id"), key=lambda row: row["case_id"])
            begun, self.stream = pa.array([row["case_id"] for row in rows], pa.string()), iter(rows)
        else:
            self.stream = (line.row for line in iterate_rows(path, keys))
        self.case_ids = begun
        self.ahead: dict[str, Any] | None = None

    @staticmethod
    def _begun(path: Path) -> pa.Array | None:
        """Case ids as the lines begin with them; None where one does not, or they do not ascend."""
        if not path.is_file():
            return None
        found, some, before = [pa.array([], pa.string())], list[str](), ""
        with path.open("rb") as stream:
            for number, line in enumerate(stream):
                if (case_id := case_of(line)) is None or (number and case_id <= before):
                    return None
                some.append(case_id)
                before = case_id
                if len(some) == AT_ONCE:
                    found.append(pa.array(some, pa.string()))
                    some.clear()
        return pa.concat_arrays([*found, pa.array(some, pa.string())])

    def of(self, one: Range) -> list[dict[str, Any]]:
        """Rows of the next range; ranges are asked for in their order, and hold all cases of the file."""
        found = []
        last = one.case_ids[-1].as_py() if len(one.case_ids) else ""
        row = self.ahead or next(self.stream, None)
        while row is not None and row["case_id"] <= last:
            found.append(row)
            row = next(self.stream, None)
        self.ahead = row
        return found


class Joined:
    """What `join` gives, a patient range at a time; it can be gone through once."""

    def __init__(self, prompts: Path, rationales: Path, folder: Path, definition: str) -> None:
        """Open the files; `folder` is that of cases and labels, `definition` whose labels count.

        Raises:
            InputError: a file is absent or not what it should be; or as `join`.
        """
        # Few words of every case: as one number each.
        labels = label_rows(folder, definition, OF_LABEL)
        self.labels = labels.set_column(1, "category", labels["category"].cast(pa.string()).dictionary_encode()).combine_chunks()
        self.prompts, self.rationales = ByCase(prompts, PROMPT_KEYS), ByCase(rationales, RATIONALE_KEYS)
        self.cases = open_cases(folder, ("case_id", "patient_id"))
        refuse_repeated(self.cases.whole()["case_id"], "one row of a case", self.cases.path, "case_id")
        if without := self.cases.whole()["patient_id"].null_count:
            raise InputError(
                "expected the patient of every case", file=self.cases.path, column="patient_id", found=f"nothing in {without} rows"
            )
        try:
            refuse_strangers(self.prompts.case_ids, self.rationales.case_ids, self.cases.ids())
        except InputError:
            # A line that is wrong in itself is told before what follows from it.
            for path, keys in ((prompts, PROMPT_KEYS), (rationales, RATIONALE_KEYS)):
                read_jsonl(path, keys, once="case_id")
            raise

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for one in ranges_of(self.cases):
            pa.default_memory_pool().release_unused()  # or what was read for a range before would be held beside this one's
            own = self.labels.filter(pc.is_in(self.labels["case_id"], value_set=one.case_ids)).to_pandas()
            yield join(self.prompts.of(one), self.rationales.of(one), self.cases.rows(one.case_ids), own)

    def outline(self) -> pd.DataFrame:
        """The same without texts: case_id, patient_id, score, responder, output ("answer" where there is one, else ""), sorted by case.

        Ids stay with Arrow: as texts of Python they would take three times as much.
        """
        cases = self.cases.whole().select(["case_id", "patient_id"])
        cases = cases.cast(pa.schema([(name, pa.string()) for name in cases.column_names])).sort_by("case_id")
        place = pc.index_in(cases["case_id"], value_set=self.labels["case_id"].combine_chunks().cast(pa.string()))
        for name in ("score", "responder"):
            cases = cases.append_column(name, self.labels[name].take(place))
        pa.default_memory_pool().release_unused()
        frame = cases.to_pandas(types_mapper=ARROW_TEXT)
        told = pc.is_in(cases["case_id"], value_set=self.rationales.case_ids).to_numpy()
        return frame.assign(output=np.where(frame["score"].notna() & told, "answer", "").astype(object))
