"""What a file says of its cells, by declaration: donor, data set, response, drug, regimen, tissue, cancer; and who is left out, why.

Reasons are counted in the order in which they are tried, so that they add up: no donor, sampled at another time, no response told,
called a doublet. A word of the label column that is not declared is refused, never guessed. What says that nothing is known (NA, unknown)
is missing in every column, but where it is declared; a whole number is one word, however a file stores it (1, 1.0).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import drugs
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.planning.config import CellStudy

UNKNOWN = "not stated"
LEVELS = ("data_set", "drug", "regimen", "therapy_class", "tissue", "cancer")
REASONS = ("no donor", "sampled at another time", "no response told", "called a doublet")
# A column of whole numbers becomes one of decimals as soon as one is missing: donor 3 of one file is 3.0 in another.
WHOLE = re.compile(r"-?\d+\.0+")
DOUBLET = ("doublet", "true", "yes", "1")
NO_DOUBLET = ("singlet", "negative", "false", "no", "0")


def texts(obs: pd.DataFrame, column: str, path: Path, key: str, declared: Collection[str] = ()) -> pd.Series:
    """A column as text; missing where it holds nothing, or a word for that which is not among `declared`.

    Raises:
        InputError: no such column; those that are there are named.
    """
    if column not in obs:
        there = ", ".join(map(str, obs.columns[:12])) or "none"
        raise InputError(f"expected this column of obs (cells.columns.{key}); there are {there}", file=path, column=column)
    values = obs[column]
    if isinstance(values.dtype, pd.CategoricalDtype):
        # Each word once; the code of what is missing is -1, the last place.
        known = np.array([*(word(value, declared) for value in values.cat.categories), None], dtype=object)
        return pd.Series(known[values.cat.codes.to_numpy()], index=values.index)
    return pd.Series([word(value, declared) for value in values.astype(object)], index=values.index, dtype=object)


def word(value: Any, declared: Collection[str] = ()) -> str | None:
    """A cell of obs as text; None where it holds nothing, or says so in a word that is not among `declared`."""
    if value is None or value is pd.NA or value != value:
        return None
    told = spelled(str(value))
    return told if told in declared or not is_missing(told) else None


@lru_cache(maxsize=65536)
def spelled(text: str) -> str:
    """A text without what stands around it; a whole number without its decimals."""
    bare = text.strip()
    return bare.partition(".")[0] if WHOLE.fullmatch(bare) else bare


is_missing = lru_cache(maxsize=65536)(is_missing_word)


def grades(obs: pd.DataFrame, study: CellStudy, path: Path) -> pd.Series:
    """Response from 0 to 1 by cell; missing where none is told.

    Raises:
        InputError: a word that is not declared, or a grade that is no number from 0 to 1.
    """
    scores = {spelled(name): score for name, score in study.labels.items()}
    told = texts(obs, study.columns.label, path, "label", scores)
    if scores:
        if unknown := sorted(set(told.dropna()) - set(scores)):
            raise InputError(
                f"expected one of {', '.join(study.labels)} (cells.labels)", file=path, column=study.columns.label, found=unknown[0]
            )
        return told.map(scores).astype(float)
    found = pd.to_numeric(told, errors="coerce")
    wrong = told[(found.isna() & told.notna()) | (found < 0) | (found > 1)]
    if len(wrong):
        raise InputError(
            "expected a grade from 0 to 1, or words with cells.labels", file=path, column=study.columns.label, found=wrong.iloc[0]
        )
    return found.astype(float)


def classes_of(name: str) -> tuple[str, str]:
    """Class of therapy of a drug or a combination, and its mechanism in words, by the drug table; where it knows none, neither."""
    known = [drugs()[agent] for agent in resolve(name).agents if agent in drugs()]
    kinds = " + ".join(sorted({one.subtype for one in known}))
    return kinds or UNKNOWN, " ".join(dict.fromkeys(one.mechanism for one in known if one.mechanism))


def described(obs: pd.DataFrame, study: CellStudy, path: Path) -> pd.DataFrame:
    """What is said of each cell of one file.

    Returns:
        a row a cell: cell, donor, patient_id, score, the columns of `LEVELS`, and reason ("" where the cell is kept so far).

    Raises:
        InputError: a column that is not there, names of cells that stand twice, a word that is not declared.
    """
    columns = study.columns
    if obs.index.has_duplicates:
        raise InputError("expected each cell's name once (index of obs)", file=path, found=str(obs.index[obs.index.duplicated()][0]))
    found: dict[str, Any] = {"cell": obs.index.astype(str)}
    donor = texts(obs, columns.donor, path, "donor").to_numpy(object)
    for key in LEVELS:
        column = getattr(columns, key)
        found[key] = None if column is None else texts(obs, column, path, key).to_numpy(object)
    frame = pd.DataFrame(found)
    if columns.data_set is None:
        frame["data_set"] = path.stem
    frame["regimen"] = frame["regimen"].where(frame["regimen"].notna(), frame["drug"])
    table = {name: classes_of(name)[0] for name in frame["drug"].dropna().unique()}
    frame["therapy_class"] = frame["therapy_class"].where(frame["therapy_class"].notna(), frame["drug"].map(table))
    frame = frame.astype({name: object for name in LEVELS}).fillna(dict.fromkeys(LEVELS, UNKNOWN))
    frame["donor"] = donor
    name = pd.Series(donor, dtype=object).fillna("")
    frame["patient_id"] = name if study.donors == "of_all" else frame["data_set"] + "/" + name
    frame["score"] = grades(obs, study, path).to_numpy(float)
    frame["reason"] = reasons(obs, frame, study, path)
    return frame


def reasons(obs: pd.DataFrame, frame: pd.DataFrame, study: CellStudy, path: Path) -> np.ndarray:
    """Why each cell is left out before its expression is looked at; "" where it is not."""
    columns = study.columns
    wrong = {
        "no donor": frame["donor"].isna().to_numpy(),
        "no response told": frame["score"].isna().to_numpy(),
    }
    if study.times:
        times = {spelled(name) for name in study.times}
        wrong["sampled at another time"] = ~texts(obs, str(columns.time), path, "time", times).isin(times).to_numpy()
    if columns.doublet is not None:
        told = texts(obs, columns.doublet, path, "doublet")
        lower = told.str.lower()
        if len(unknown := told[lower.notna() & ~lower.isin([*DOUBLET, *NO_DOUBLET])]):
            # A score, say: nobody would be left out without a word.
            known = ", ".join((*DOUBLET, *NO_DOUBLET))
            raise InputError(f"expected one of {known}, or nothing", file=path, column=columns.doublet, found=unknown.iloc[0])
        wrong["called a doublet"] = lower.isin(DOUBLET).to_numpy()
    found = np.full(len(frame), "", dtype=object)
    for reason in REASONS:
        if reason in wrong:
            found[(found == "") & wrong[reason]] = reason
    return found


def refuse_one_class(responder: pd.Series, what: str) -> None:
    """Refuse labels from which nothing can be learned.

    Raises:
        InputError: all cases respond, or none does.
    """
    if responder.nunique() < 2:
        which = "sensitive" if len(responder) and bool(responder.iloc[0]) else "resistant"
        raise InputError(f"expected sensitive and resistant {what}; all {len(responder)} are {which}")
