"""Filled sheets read back: checked, unblinded by the key, measured. Only here does an item get its source.

The share acceptable of a source is the mean over its cases of the raters' mean, with an interval that resamples cases: several ratings of
one case are not independent. Agreement is of the raters on all items, whosever they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.foundation.csv_file import iterate_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.jsonl import BadJSON, parse_json
from oncoraft.tasks.agreement import cohen, counts, fleiss, gwet, krippendorff, numbered, observed
from oncoraft.tasks.measures import interval, resampled_means
from oncoraft.tasks.sheets import ACCEPTABLE
from oncoraft.tasks.signed_rank import signed_rank

READ = ("sheet", "item", "acceptable", "grade")
RESAMPLES = 2000


def read_key(path: Path) -> dict[str, Any]:
    """The key of a sheet.

    Raises:
        InputError: no key written by `oncoraft rate --make`.
    """
    require_file(path, "the key written by `oncoraft rate --make`")
    try:
        key = parse_json(path.read_text(encoding="utf-8"))
    except (BadJSON, UnicodeDecodeError):
        key = None
    if not isinstance(key, dict) or not {"sheet", "items", "sources", "grades", "seed"} <= set(key):
        raise InputError("expected the key written by `oncoraft rate --make`", file=path)
    return key


def read_filled(path: Path, key: Mapping[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """Item -> whether acceptable, and grade; None where the rater left it empty.

    Raises:
        InputError: another sheet's file, a column that is missing, an item that the sheet lacks or has twice, or a word that is no choice.
    """
    found: dict[str, tuple[str | None, str | None]] = {}
    for line, row in iterate_csv(path, READ, "a filled sheet"):
        place: dict[str, Any] = {"file": path, "line": line}
        if row["sheet"] != key["sheet"]:
            raise InputError(f"expected a row of sheet {key['sheet']}, whose key this is", column="sheet", found=row["sheet"], **place)
        # Spreadsheets drop the zeros in front of a number.
        item = next((name for name in key["items"] if name.lstrip("0") == row["item"].strip().lstrip("0")), None)
        if item is None or item in found:
            raise InputError("expected each item of the sheet once", column="item", found=row["item"], **place)
        found[item] = (_word(row, "acceptable", ACCEPTABLE, place), _word(row, "grade", key["grades"], place))
    if not any(acceptable or grade for acceptable, grade in found.values()):
        raise InputError("expected at least one rating", file=path)
    return found


def _word(row: Mapping[str, str], column: str, words: Sequence[str], place: dict[str, Any]) -> str | None:
    value = " ".join(row[column].lower().split())
    if value and value not in words:
        raise InputError(f"expected one of {', '.join(words)}, or nothing", column=column, found=row[column], **place)
    return value or None


def agreement_of(ratings: Sequence[Sequence[str | None]], words: Sequence[str], is_ordinal: bool) -> dict[str, Any]:
    """Coefficients of agreement; None where one is not defined.

    Args:
        ratings: a row a rater, a column an item.
        words: the choices in their order, used or not.
        is_ordinal: whether the order counts, in kappa's weights and alpha's metric.
    """
    places = numbered(ratings, words)
    table = counts(places, len(words))
    pairs = [cohen(places[a], places[b], len(words), "linear" if is_ordinal else "nominal") for a, b in combinations(range(len(places)), 2)]
    defined = [value for value in pairs if not math.isnan(value)]
    found = {
        "raters": len(places),
        "items": int((table.sum(axis=1) > 0).sum()),
        "items_rated_twice_or_more": int((table.sum(axis=1) > 1).sum()),
        "ratings": int(table.sum()),
        "missing": int((places < 0).sum()),
        "share_of_agreeing_pairs": observed(table),
        "cohen_mean_of_pairs" + ("_linear_weights" if is_ordinal else ""): float(np.mean(defined)) if defined else math.nan,
        "fleiss": fleiss(table),
        "krippendorff_" + ("ordinal" if is_ordinal else "nominal"): krippendorff(table, "ordinal" if is_ordinal else "nominal"),
        "gwet_ac1": gwet(table),
    }
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in found.items()}


def measured(key: Mapping[str, Any], filled: Mapping[str, Mapping[str, tuple[str | None, str | None]]]) -> dict[str, Any]:
    """Shares, grades, tests and agreement, unblinded.

    Args:
        key: of the sheet.
        filled: rater -> item -> ratings.
    """
    rows = [
        {"rater": rater, "item": item, "source": source, "acceptable": acceptable, "grade": grade, **_whose(key, item)}
        for rater, items in filled.items()
        for item, (acceptable, grade) in items.items()
        for source in key["items"][item]["sources"]
    ]
    frame = pd.DataFrame(rows)
    sources = [_source(frame[frame["source"] == name], name, key) for name in key["sources"]]
    items = list(key["items"])
    by_rater = [[filled[rater].get(item, (None, None)) for item in items] for rater in filled]
    kinds = ((0, "acceptable", ACCEPTABLE, False), (1, "grade", key["grades"], True))
    agreed = {name: agreement_of([[one[place] for one in row] for row in by_rater], words, order) for place, name, words, order in kinds}
    return {
        "sheet": key["sheet"],
        "raters": sorted(filled),
        "sources": sources,
        "tests": _tests(frame, key["sources"]),
        "agreement": agreed,
    }


def _whose(key: Mapping[str, Any], item: str) -> dict[str, str]:
    return {name: key["items"][item][name] for name in ("case_id", "patient_id")}


def by_case(rows: pd.DataFrame) -> pd.Series:
    """Mean over raters of whether acceptable, (cases,), of rated cases."""
    rated = rows.dropna(subset=["acceptable"])
    return (rated["acceptable"] == "yes").astype(float).groupby(rated["case_id"]).mean()


def _source(rows: pd.DataFrame, name: str, key: Mapping[str, Any]) -> dict[str, Any]:
    """Share acceptable with its interval, and the grades, of one source."""
    share = by_case(rows)
    patients = rows.drop_duplicates("case_id").set_index("case_id")["patient_id"].reindex(share.index)
    bounds: tuple[float | None, float | None] = (None, None)
    if len(share):
        bounds = interval(resampled_means(share.to_numpy()[:, None], patients.tolist(), RESAMPLES, int(key["seed"]))[:, 0])
    return {
        "source": name,
        "acceptable": float(share.mean()) if len(share) else None,
        "lower": bounds[0],
        "upper": bounds[1],
        "cases": len(share),
        "patients": int(patients.nunique()),
        "ratings": int(rows["acceptable"].notna().sum()),
        "grades": {grade: int((rows["grade"] == grade).sum()) for grade in key["grades"]},
    }


def _tests(frame: pd.DataFrame, sources: Sequence[str]) -> list[dict[str, Any]]:
    """One-sided tests of each source against each one named before it, on means over each patient of the cases that both have rated."""
    found = []
    for first, second in combinations(sources, 2):
        before, after = (by_case(frame[frame["source"] == name]) for name in (first, second))
        apart = (after - before).dropna()
        people = frame.drop_duplicates("case_id").set_index("case_id")["patient_id"].reindex(apart.index)
        if len(apart):
            test = asdict(signed_rank(apart.groupby(people.to_numpy()).mean().tolist()))
            found.append({"greater": second, "than": first, "difference": float(apart.mean()), "cases": len(apart)} | test)
    return found
