"""Everything that the evidence says as numbers, so that a baseline sees what the language model reads.

Typed from the evidence itself, field by field: how many statements; of the three closest their days before index and, where the values
are numbers, those numbers and the change between the closest two; measurements that stand in the text alone (a tumour marker's level, a
mutational burden), by what is measured; and tokens: each value of few (also of the closest statement alone), each agent and gene, each
word of a text. A category of which there are several statements has days of its own ("progression: yes" 40 days before). Nothing here
looks at a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

PLACES = 3  # closest statements told apart; the evidence holds three of repeated kinds by default
FEW_VALUES = 15  # numbers of more values than these are no categories
NUMERIC = ("number", "count", "days")
MOSTLY = 0.95
DAYS = r"\(?\b(?:begun|noted|sequenced|taken|diagnosed)?\s*\d+ days? before(?: treatment)?\)?"  # the column of days says it exactly
BELOW_DETECTION = "below detection"  # a level too; without it the earlier one would be read as the closest
NUMBER = r"(?<![\w.])(-?\d+(?:\.\d+)?)"
WORD = r"[^\s,;:()+]*[^\W\d][^\s,;:()+]*"  # holds a letter: numbers are told as numbers


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
    rows = evidence[evidence["case_id"].isin(case_ids)].sort_values(["case_id", "order"], kind="stable").reset_index(drop=True)
    rows = rows.assign(
        case=pd.Index(case_ids).get_indexer(rows["case_id"]),
        place=rows.groupby(["case_id", "field"]).cumcount(),
        days=rows["days_before_index"].astype(float),
        value=rows["value"].fillna(""),
        text=rows["text"].fillna(""),
    )
    kind = _kinds(rows)
    rows = rows.assign(kind=rows["field"].map(kind))
    numbers = pd.concat([_counts(rows), _placed(rows), _measured(rows), _days_of_values(rows)], ignore_index=True)
    wide = numbers.pivot(index="case", columns="name", values="number").reindex(range(len(case_ids)))
    return EvidenceMatrix(_with_changes(wide), *_tokens(rows, len(case_ids)))


def _kinds(rows: pd.DataFrame) -> pd.Series:
    """Kind of each field, by name: as the evidence declares it, else a number where nearly all values begin with one."""
    by_field = rows.groupby("field")
    if "kind" in rows:
        return by_field["kind"].first()
    numeric = rows["value"].str.match(r"-?\d").astype(float).groupby(rows["field"]).mean().ge(MOSTLY)
    dated = by_field["days"].count() > 0
    several = by_field["value"].nunique() > 2 * FEW_VALUES
    return pd.Series(np.select([numeric, several & dated], ["number", "text"], "category"), index=numeric.index)


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


def _days_of_values(rows: pd.DataFrame) -> pd.DataFrame:
    """Days since each value of a category that has few of them and of which a case may have several."""
    by_field = rows.groupby("field")
    few = (by_field["value"].nunique() <= FEW_VALUES) & (by_field["place"].max() > 0)
    near = rows[rows["field"].map(few) & rows["kind"].eq("category") & rows["days"].notna()].sort_values("days", kind="stable")
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


def _tokens(rows: pd.DataFrame, cases: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Values, their parts and the words of the text, a column each; words are read once for each distinct wording."""
    told = ~(rows["kind"].isin(NUMERIC) & (rows.groupby("field")["value"].transform("nunique") > FEW_VALUES))
    value = (rows["field"] + "=" + rows["value"]).where(told)
    first = value.where(rows["place"] == 0).str.replace("=", "@0=", n=1)
    matrices, names = [], []
    for token in (value, first):
        code, name = pd.factorize(token)  # -1: not told
        known = code >= 0
        matrices.append(_indicator(rows["case"].to_numpy()[known], code[known], (cases, len(name))))
        names.append(np.asarray(name, dtype=object))
    wording = rows["field"] + "\t" + rows["value"] + " " + rows["text"].str.replace(DAYS, "", regex=True)
    code, distinct = pd.factorize(wording)
    reader = CountVectorizer(analyzer=_words, binary=True)
    words = reader.fit_transform(distinct) if len(distinct) else sparse.csr_matrix((0, 0))
    matrices.append(_indicator(rows["case"].to_numpy(), code, (cases, len(distinct))) @ words)
    names.append(reader.get_feature_names_out() if len(distinct) else np.array([], dtype=object))
    # A word that several statements of a case tell was counted by the product; it is there or not.
    return sparse.csr_matrix(sparse.hstack(matrices).astype(bool).astype(float)), np.concatenate(names)


def _words(wording: str) -> list[str]:
    """Words of a statement with its field before each; of a fusion `A-B` both genes too."""
    field, _, text = wording.partition("\t")
    found = WORD_READER(text)
    return [f"{field}~{part}" for word in found for part in {word, *word.split("-")} if part]


WORD_READER = CountVectorizer(token_pattern=WORD, lowercase=True).build_tokenizer()


def _indicator(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    """A sparse matrix of ones at the given places."""
    return sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=shape)
