"""What stands in the evidence as tokens of 0 and 1: each value of few, that of the closest statement alone, each word of a text."""

from __future__ import annotations

from itertools import count

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

DAYS = r"\(?\b(?:begun|noted|sequenced|taken|diagnosed)?\s*\d+ days? before(?: treatment)?\)?"  # the column of days says it exactly
WORD = r"[^\s,;:()+]*[^\W\d][^\s,;:()+]*"  # holds a letter: numbers are told as numbers


class Tokens:
    """Tokens of cases, gathered some cases at a time; tokens are numbered in the order in which they first stand."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.cases: list[np.ndarray] = []
        self.names: tuple[dict[str, int], dict[str, int]] = ({}, {})  # of values, of those of closest statements
        self.wordings: dict[str, int] = {}
        self.vocabulary: dict[str, int] = {}
        self.words: list[np.ndarray] = []  # of each wording, by number
        self.parts: list[list[sparse.csr_matrix]] = []

    def add(self, rows: pd.DataFrame, told: np.ndarray) -> None:
        """Take the statements of some cases.

        Args:
            rows: in the order of cases; case, place, field, value, text.
            told: whose value is a token.
        """
        cases, case = np.unique(rows["case"].to_numpy(), return_inverse=True)
        value = (rows["field"] + "=" + rows["value"]).where(told)
        first = value.where(rows["place"] == 0).str.replace("=", "@0=", n=1)
        matrices = []
        for token, names in zip((value, first), self.names):
            code = _numbered(token, names)
            known = code >= 0  # -1: not told
            matrices.append(_indicator(case[known], code[known], (len(cases), len(names))))
        wording = rows["field"] + "\t" + rows["value"] + " " + rows["text"].str.replace(DAYS, "", regex=True)
        seen = len(self.wordings)
        code = _numbered(wording, self.wordings)
        for words in list(self.wordings)[seen:]:  # words are read once for each distinct wording
            numbers = {self.vocabulary.setdefault(word, len(self.vocabulary)) for word in _words(words)}
            self.words.append(np.array(sorted(numbers), dtype=np.int32))
        bounds = np.cumsum([0, *map(len, self.words)])
        column = np.concatenate([np.array([], dtype=np.int32), *self.words])
        words_of = sparse.csr_matrix((np.ones(len(column)), column, bounds), shape=(len(self.words), len(self.vocabulary)))
        # A word that several statements of a case tell is counted by the product; it is there or not.
        matrices.append(_indicator(case, code, (len(cases), len(self.words))) @ words_of)
        self.cases.append(cases)
        self.parts.append([sparse.csr_matrix(matrix.astype(bool)) for matrix in matrices])

    def matrix(self, cases: int) -> tuple[sparse.csr_matrix, np.ndarray]:
        """Tokens of each case, (cases, tokens), and their names; words in alphabetical order behind the values."""
        words = sorted(self.vocabulary)
        rank = np.empty(len(words), dtype=np.int32)
        rank[[self.vocabulary[word] for word in words]] = np.arange(len(words))
        widths = [len(self.names[0]), len(self.names[1]), len(words)]
        whole = [sparse.csr_matrix((1, sum(widths)))]  # the row of a case without a statement
        for part in self.parts:
            part[2].indices = rank[part[2].indices]
            for matrix, width in zip(part, widths):
                matrix.resize(matrix.shape[0], width)
            whole.append(sparse.csr_matrix(sparse.hstack(part)).astype(float))
        place = np.zeros(cases, dtype=int)
        found = np.concatenate([np.array([], dtype=int), *self.cases])
        place[found] = np.arange(1, len(found) + 1)
        names = [*self.names[0], *self.names[1], *words]
        return sparse.csr_matrix(sparse.vstack(whole, format="csr")[place]), np.array(names, dtype=object)


def _numbered(words: pd.Series, numbers: dict[str, int]) -> np.ndarray:
    """The number of each of some words, -1 where missing; new ones are added in the order in which they stand."""
    code, distinct = pd.factorize(words)
    new = count(len(numbers))
    own = [numbers[word] if word in numbers else numbers.setdefault(word, next(new)) for word in distinct]
    return np.array([*own, -1], dtype=np.int64)[code]


def _words(wording: str) -> list[str]:
    """Words of a statement with its field before each; of a fusion `A-B` both genes too."""
    field, _, text = wording.partition("\t")
    found = WORD_READER(text)
    return [f"{field}~{part}" for word in found for part in dict.fromkeys((word, *word.split("-"))) if part]


WORD_READER = CountVectorizer(token_pattern=WORD, lowercase=True).build_tokenizer()


def _indicator(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    """A sparse matrix of ones at the given places."""
    return sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=shape)
