"""Everything that the evidence says as numbers, so that a baseline sees what the language model reads.

Typed from the evidence itself, field by field: how many statements; of the three closest their days before index and, where the values
are numbers, those numbers and the change between the closest two; measurements that stand in the text alone (a tumour marker's level, a
mutational burden), by what is measured; and tokens: each value of few (also of the closest statement alone), each agent and gene, each
word of a text. A category of which there are several statements has days of its own ("progression: yes" 40 days before). Nothing here
looks at a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pandas as pd
from scipy import sparse

from oncoraft.evaluation.evidence_tokens import DAYS, Tokens

PLACES = 3  # closest statements told apart; the evidence holds three of repeated kinds by default
FEW_VALUES = 15  # numbers of more values than these are no categories
MANY_VALUES = 2 * FEW_VALUES
NUMERIC = ("number", "count", "days")
MOSTLY = 0.95
BELOW_DETECTION = "below detection"  # a level too; without it the earlier one would be read as the closest
NUMBER = r"(?<![\w.])(-?\d+(?:\.\d+)?)"


@dataclass(frozen=True)
class EvidenceMatrix:
    """Features of each case: `numbers` (cases, columns) with nan where not told; `tokens` (cases, names) of 0 and 1, sparse."""

    numbers: pd.DataFrame
    tokens: sparse.csr_matrix
    token_names: np.ndarray


def evidence_matrix(case_ids: pd.Series, evidence: pd.DataFrame) -> EvidenceMatrix:
    """Features of cases, in their order, from evidence.parquet; statements of other cases are left out.

    Args:
        case_ids: unique.
        evidence: one row a statement.
    """
    return matrix_of_ranges(case_ids, lambda: [evidence])


def matrix_of_ranges(case_ids: pd.Series, ranges: Callable[[], Iterable[pd.DataFrame]]) -> EvidenceMatrix:
    """As `evidence_matrix`, of evidence that comes some cases at a time; what is found does not depend on where ranges end.

    Args:
        case_ids: unique.
        ranges: evidence from its beginning, all statements of a case in one part, parts in the order of case ids; called twice, since what a
            field holds is settled before its statements are read.
    """
    cases = pd.Index(case_ids)
    seen = Fields()
    for evidence in ranges():
        seen.add(_ordered(cases, evidence))
    fields = seen.settled()
    parts, tokens = [pd.DataFrame(dtype=float)], Tokens()
    for evidence in ranges():
        rows = _ordered(cases, evidence)
        rows = rows.assign(kind=rows["field"].map(fields["kind"]))
        few = rows["field"].map(fields["few"]).astype(bool)
        numbers = [
            _counts(rows),
            _placed(rows),
            _measured(rows),
            _days_of_values(rows, few & rows["field"].map(fields["several"]).astype(bool)),
        ]
        parts.append(pd.concat(numbers, ignore_index=True).pivot(index="case", columns="name", values="number"))
        tokens.add(rows, (~rows["kind"].isin(NUMERIC) | few).to_numpy())
        del evidence, rows, numbers  # or they would be held while the next range is read
    names = sorted({name for part in parts for name in part.columns})
    wide = pd.DataFrame(np.full((len(cases), len(names)), np.nan), columns=names)
    for part in parts:
        wide.iloc[part.index, wide.columns.get_indexer(part.columns)] = part.to_numpy(float)
    return EvidenceMatrix(_with_changes(wide), *tokens.matrix(len(cases)))


def _ordered(cases: pd.Index, evidence: pd.DataFrame) -> pd.DataFrame:
    """Statements of the cases in their order, with the number of the case, and the statement's place among those of its field."""
    rows = evidence[evidence["case_id"].isin(cases)].sort_values(["case_id", "order"], kind="stable").reset_index(drop=True)
    return rows.assign(
        case=cases.get_indexer(pd.Index(rows["case_id"])),
        place=rows.groupby(["case_id", "field"]).cumcount(),
        days=rows["days_before_index"].astype(float),
        value=rows["value"].fillna(""),
        text=rows["text"].fillna(""),
    )


class Fields:
    """What is to be known of each field before its statements are read."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.counts, self.kinds = pd.DataFrame(columns=["size", "numeric", "dated", "several"], dtype=float), dict[str, str]()
        self.values: dict[str, set[str]] = {}

    def add(self, rows: pd.DataFrame) -> None:
        """See statements, from `_ordered`."""
        by_field = rows.groupby("field")
        found = pd.DataFrame(
            {
                "size": by_field.size(),
                "numeric": rows["value"].str.match(r"-?\d").astype(float).groupby(rows["field"]).sum(),
                "dated": by_field["days"].count(),
                "several": (rows["place"] > 0).groupby(rows["field"]).sum(),
            }
        )
        self.counts = self.counts.add(found, fill_value=0.0)
        for field, values in by_field["value"].unique().items():
            # No more than are needed to know that there are many.
            known = self.values.setdefault(str(field), set())
            known.update(values[: MANY_VALUES + 1] if len(values) > MANY_VALUES else values if len(known) <= MANY_VALUES else ())
        if "kind" in rows:
            self.kinds = {str(field): str(kind) for field, kind in by_field["kind"].first().items()} | self.kinds

    def settled(self) -> pd.DataFrame:
        """By field its kind (as the evidence declares it, else a number where nearly all values begin with one), whether it has few values, and
        whether a case has several of its statements.
        """
        size, distinct = self.counts["size"], pd.Series({name: len(values) for name, values in self.values.items()}, dtype=float)
        distinct = distinct.reindex(self.counts.index)
        if self.kinds:
            kind = pd.Series(self.kinds).reindex(self.counts.index)
        else:
            numeric, dated = self.counts["numeric"] / size >= MOSTLY, self.counts["dated"] > 0
            kind = pd.Series(np.select([numeric, (distinct > MANY_VALUES) & dated], ["number", "text"], "category"), index=size.index)
        return pd.DataFrame({"kind": kind, "few": distinct <= FEW_VALUES, "several": self.counts["several"] > 0})


def _long(case: pd.Series, name: pd.Series, number: pd.Series) -> pd.DataFrame:
    """One number a row; the first of each case and name, since the closest statement stands first."""
    return pd.DataFrame({"case": case, "name": name, "number": number.astype(float)}).dropna().drop_duplicates(["case", "name"])


def _counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Statements of each field."""
    size = rows.groupby(["case", "field"]).size().reset_index(name="n")
    return _long(size["case"], size["field"] + ":statements", size["n"])


def _placed(rows: pd.DataFrame) -> pd.DataFrame:
    """Days and numbers in the value of the closest statements of each field."""
    near = rows[rows["place"] < PLACES]
    name = near["field"] + "@" + near["place"].astype(str)
    parts = [_long(near["case"], name + ":days", near["days"])]
    found = near.loc[near["kind"].isin(NUMERIC), "value"].str.extractall(r"(\d+(?:\.\d+)?)")[0].astype(float).unstack()
    parts += [_long(near["case"], name + f":number_{k}", found[k].reindex(near.index)) for k in found.columns[:2]]
    return pd.concat(parts)


def _measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers that the text tells beyond the value, by what precedes both ("CEA" of "CEA rising" and of "CEA 12 ng/ml, rising")."""
    told = rows[rows["kind"] == "category"]
    pairs = list(zip(told["value"], told["text"]))
    start = [_shared(*pair) for pair in pairs]
    rest = pd.Series([text[len(key) :] for (_, text), key in zip(pairs, start)], index=told.index, dtype=object)
    rest = rest.str.replace(DAYS, "", regex=True).str.replace(BELOW_DETECTION, "0", regex=False)
    found = rest.str.extractall(NUMBER)[0].astype(float).unstack()
    name = (told["field"] + "/" + pd.Series(start, index=told.index, dtype=object)).str.removesuffix("/")
    return pd.concat([_long(told["case"], name + f":measured_{k}", found[k].reindex(told.index)) for k in found.columns[:2]] or [_EMPTY])


def _shared(value: str, text: str) -> str:
    """The words with which both begin, as the text has them; values are in small letters ("cea rising", "CEA 12 ng/ml, rising")."""
    return " ".join(word for _, word in takewhile(lambda pair: pair[0].lower() == pair[1].lower(), zip(value.split(), text.split())))


_EMPTY = pd.DataFrame({"case": pd.Series(dtype=int), "name": pd.Series(dtype=object), "number": pd.Series(dtype=float)})


def _days_of_values(rows: pd.DataFrame, asked: pd.Series) -> pd.DataFrame:
    """Days since each value of a category that has few of them and of which a case may have several (`asked`)."""
    near = rows[asked & rows["kind"].eq("category") & rows["days"].notna()].sort_values("days", kind="stable")
    return _long(near["case"], near["field"] + "=" + near["value"] + ":days", near["days"])


def _with_changes(wide: pd.DataFrame) -> pd.DataFrame:
    """The numbers, and how far each closest one lies from the one before it (of measurements: on a log scale)."""
    more = {}
    for name in wide.columns:
        if name.endswith("@0:number_0") and (before := name.replace("@0", "@1")) in wide:
            more[name + ":change"] = wide[name] - wide[before]
        if name.endswith(":measured_0") and (before := name[:-1] + "1") in wide:
            # log1p, since a measurement may be 0.
            more[name + ":change"] = np.log1p(wide[name].abs()) - np.log1p(wide[before].abs())
    return pd.concat([wide, pd.DataFrame(more, index=wide.index)], axis=1).astype(float)
