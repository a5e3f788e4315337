"""The fitted baselines: what each sees, and how it is tuned on the patients that every training part sets aside for that.

Each is fitted on the training cases of a fold and tuned on its tuning cases by log-loss; held-out labels never enter. Where the tuning
cases are too few to choose by, the first candidate stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import chi2
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from oncoraft.covariates import NUMBERS, SITES, WORDS
from oncoraft.evaluation.evidence_features import EvidenceMatrix

SMALLEST_TUNING = 20  # cases of both classes; fewer would choose by chance
FEWEST_CASES = 10  # training cases that a token stands in
TOKENS_SEEN = 150  # by the trees: the most telling ones in training; more of them cost time and won nothing on the twin
# Of a logistic regression (scikit-learn's C), for a few columns and for thousands; the first where there is nothing to choose by.
CLINICAL_SHRINKAGE, TEXT_SHRINKAGE = (1.0, 0.1, 0.01), (0.01, 0.1, 0.001)
COLUMNS_TRIED = 0.3  # share of the columns at each split: with hundreds of columns and few cases, all of them overfit
TREES = ({"max_leaf_nodes": 4}, {"max_leaf_nodes": 8})
LEARNING_RATE, MOST_TREES, USUAL_TREES, PATIENCE = 0.1, 250, 60, 20


class Parts(NamedTuple):
    """Rows of the table: those that train, those that tune, those held out; labels of the first two."""

    train: np.ndarray
    tuning: np.ndarray
    held_out: np.ndarray
    label: np.ndarray

    @property
    def can_tune(self) -> bool:
        """Whether the tuning cases hold enough of both classes to choose by."""
        return len(self.tuning) >= SMALLEST_TUNING and len(np.unique(self.label[self.tuning])) == 2


class Fitted(NamedTuple):
    """Scores of the held-out cases, and which candidate was chosen."""

    score: np.ndarray
    chosen: dict[str, Any]


Learner = Callable[[Parts], Fitted]


def tuned_logistic(design: Callable[[Parts], tuple[Any, Any, Any]], parts: Parts, shrinkages: Sequence[float]) -> Fitted:
    """An L2 logistic regression, its shrinkage chosen on the tuning cases."""
    train, tuning, held_out = design(parts)
    best: tuple[float, float, Any] | None = None
    for shrinkage in shrinkages if parts.can_tune else shrinkages[:1]:
        model = LogisticRegression(C=shrinkage, max_iter=3000, tol=1e-5).fit(train, parts.label[parts.train])
        loss = log_loss(parts.label[parts.tuning], model.predict_proba(tuning)[:, 1]) if parts.can_tune else 0.0
        if best is None or loss < best[0]:
            best = (loss, shrinkage, model)
    assert best is not None
    return Fitted(best[2].predict_proba(held_out)[:, 1], {"shrinkage": best[1], "is_tuned": parts.can_tune})


def clinical_logistic(table: pd.DataFrame) -> Learner:
    """What a clinician would put down: demography, stage, setting, line, performance status, drug class and the disease at index."""
    # SimpleImputer would drop a column that has no value in training.
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    columns = ColumnTransformer([("numbers", numbers, [*NUMBERS, *SITES]), ("words", words, list(WORDS))])
    return lambda parts: tuned_logistic(lambda p: _transformed(columns, table, p), parts, CLINICAL_SHRINKAGE)


def tfidf_logistic(table: pd.DataFrame) -> Learner:
    """The weighted words and word pairs of the evidence, as a reader without understanding."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=20_000, sublinear_tf=True)
    # Rows of TF-IDF have length one, so that the same shrinkage weighs a hundred times more than on standardised columns.
    columns = make_pipeline(ColumnTransformer([("text", words, "text")]), FunctionTransformer(lambda x: x * 10, accept_sparse=True))
    texts, terms_of = table["text"].to_numpy(), words.build_analyzer()

    def fit(parts: Parts) -> Fitted:
        if not _share_a_term(texts[parts.train], terms_of):
            # A regression without a column is its intercept; scikit-learn would stop at the empty vocabulary.
            return Fitted(np.full(len(parts.held_out), parts.label[parts.train].mean()), {"terms": 0, "is_tuned": False})
        return tuned_logistic(lambda p: _transformed(columns, table, p), parts, TEXT_SHRINKAGE)

    return fit


def _share_a_term(texts: Iterable[str], terms_of: Callable[[str], Iterable[str]]) -> bool:
    """Whether a word or word pair stands in two of the texts; mostly the first two tell."""
    seen: set[str] = set()
    for text in texts:
        mine = set(terms_of(text))
        if seen & mine:
            return True
        seen |= mine
    return False


def _transformed(columns: Pipeline | ColumnTransformer, table: pd.DataFrame, parts: Parts) -> tuple[Any, Any, Any]:
    """Training, tuning and held-out rows through a transformer fitted on the training rows."""
    train = columns.fit_transform(table.iloc[parts.train])
    return train, columns.transform(table.iloc[parts.tuning]) if parts.can_tune else None, columns.transform(table.iloc[parts.held_out])


def evidence_logistic(table: pd.DataFrame, evidence: EvidenceMatrix) -> Learner:
    """A penalised logistic regression on all that the evidence says and on the clinical covariates."""
    names = [*NUMBERS, *SITES, *evidence.numbers.columns]
    table = pd.concat([table[[*NUMBERS, *SITES, *WORDS]], evidence.numbers.set_axis(table.index)], axis=1)
    numbers = make_pipeline(
        FunctionTransformer(lambda x: np.sign(x) * np.log1p(np.abs(x))),  # days and marker levels span orders of magnitude
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    words = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    columns = ColumnTransformer([("numbers", numbers, names), ("words", words, list(WORDS))])

    def design(parts: Parts) -> tuple[Any, Any, Any]:
        kept = _common(evidence.tokens, parts.train)
        dense = _transformed(columns, table, parts)
        rows = (parts.train, parts.tuning, parts.held_out)
        train, tuning, held_out = (
            None if part is None else sparse.csr_matrix(sparse.hstack([part, evidence.tokens[row][:, kept]]))
            for part, row in zip(dense, rows)
        )
        return train, tuning, held_out

    return lambda parts: tuned_logistic(design, parts, TEXT_SHRINKAGE)


def _common(tokens: sparse.csr_matrix, train: np.ndarray) -> np.ndarray:
    """Tokens that stand in enough training cases, and are missing from enough."""
    cases = np.asarray(tokens[train].sum(axis=0)).ravel()
    return np.flatnonzero((cases >= FEWEST_CASES) & (cases <= len(train) - FEWEST_CASES))


def gradient_boosting(table: pd.DataFrame, evidence: EvidenceMatrix, seed: int) -> Learner:
    """Boosted trees (Friedman 2001, histogram form) on all that the evidence says; size and number of trees chosen on the tuning cases."""
    words = pd.get_dummies(table[list(WORDS)], dtype=float)
    dense = np.hstack([table[[*NUMBERS, *SITES]].to_numpy(float), words.to_numpy(), evidence.numbers.to_numpy(float)])

    def fit(parts: Parts) -> Fitted:
        label, kept = parts.label[parts.train], _common(evidence.tokens, parts.train)
        telling = chi2(evidence.tokens[parts.train][:, kept], label)[0] if len(kept) else np.zeros(0)
        kept = np.sort(kept[np.argsort(-telling, kind="stable")[:TOKENS_SEEN]])
        told = np.isfinite(dense[parts.train]).any(axis=0)  # scikit-learn cannot bin a column without a value
        x = {name: np.hstack([dense[row][:, told], evidence.tokens[row][:, kept].toarray()]) for name, row in zip(Parts._fields[:3], parts)}
        best: tuple[float, dict[str, Any], Any] | None = None
        for size in TREES if parts.can_tune else TREES[:1]:
            model = HistGradientBoostingClassifier(
                max_iter=MOST_TREES if parts.can_tune else USUAL_TREES,
                learning_rate=LEARNING_RATE,
                min_samples_leaf=20,
                max_features=COLUMNS_TRIED,
                early_stopping=parts.can_tune,
                n_iter_no_change=PATIENCE,
                random_state=seed,
                **size,
            )
            if parts.can_tune:
                model.fit(x["train"], label, X_val=x["tuning"], y_val=parts.label[parts.tuning])
                losses = -model.validation_score_[1:]  # the first stands before any tree
                loss, count = float(losses.min()), int(losses.argmin()) + 1
            else:
                loss, count = 0.0, model.fit(x["train"], label).n_iter_
            if best is None or loss < best[0]:
                best = (loss, {**size, "trees": count, "is_tuned": parts.can_tune}, model)
        assert best is not None
        staged = best[2].staged_predict_proba(x["held_out"])
        score = next(probability for place, probability in enumerate(staged, 1) if place == best[1]["trees"])
        return Fitted(score[:, 1], best[1])

    return fit
