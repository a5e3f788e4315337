"""Baselines on the same folds: `oncoraft baselines CASES evidence.parquet --design D [--truth truth.parquet] --out predictions.parquet`.

`regimen_prior`: the training folds' response rate of cancer type and regimen, shrunk to the cancer type's rate (of the regimen alone where the type is new). `clinical_logistic`:
logistic regression on age, sex, stage, line, ECOG, cancer type and drug class. `gradient_boosting`: boosted trees on the same and on
the genomic evidence, a gene a column. `tfidf_logistic`: logistic regression on the words of the evidence, as a reader without
understanding. `oracle` (twin only): the true probability. The fitted ones see only what the language model may see: evaluable cases
of the other folds, tuning patients left out, and of each case the evidence at its index date.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from oncoraft.covariates import clinical_covariates
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
NUMBERS, WORDS = ["age", "ecog", "line"], ["sex", "stage", "cancer_type", "drug_class"]
GENE = r"\b[A-Z][A-Z0-9]{2,}\b"  # gene symbols and the like: capitals and digits
NEAREST_DAYS = 3


def features(cases: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Clinical covariates of each case at its index date, and the text of its evidence."""
    joined = clinical_covariates(cases, evidence)
    words = evidence.sort_values(["case_id", "order"]).groupby("case_id")["text"].agg(" ".join)
    return joined.assign(text=joined["case_id"].map(words).fillna(""))


def regimen_prior(train: pd.DataFrame, held_out: pd.DataFrame, strength: float) -> pd.Series:
    """Response rate of cancer type x regimen in training, shrunk by `strength` cases towards the cancer type's rate.

    A cancer type that nobody in training has takes the regimen's rate in the others, shrunk towards the rate of all.
    """
    overall = train["responder"].mean()
    elsewhere = train.groupby("regimen")["responder"].agg(["sum", "size"]).reindex(held_out["regimen"]).fillna(0.0).set_axis(held_out.index)
    unseen = (elsewhere["sum"] + strength * overall) / (elsewhere["size"] + strength)
    by_type = train.groupby("cancer_type")["responder"].mean()
    by_regimen = train.groupby(["cancer_type", "regimen"])["responder"].agg(["sum", "size"])
    base = held_out["cancer_type"].map(by_type).fillna(unseen)
    keys = pd.MultiIndex.from_frame(held_out[["cancer_type", "regimen"]])
    counts = by_regimen.reindex(keys).fillna(0.0).set_axis(held_out.index)
    return (counts["sum"] + strength * base) / (counts["size"] + strength)


def clinical_logistic() -> Pipeline:
    """Imputation, scaling, one-hot words and an L2 logistic regression: all fitted inside training folds."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    return make_pipeline(ColumnTransformer([("numbers", numbers, NUMBERS), ("words", words, WORDS)]), LogisticRegression(max_iter=2000))


def gradient_boosting(seed: int) -> Pipeline:
    """Boosted trees (Friedman 2001, histogram form) on clinical covariates and on whether a gene or word is named in the evidence."""
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    named = TfidfVectorizer(binary=True, use_idf=False, norm=None, lowercase=False, max_features=300, token_pattern=GENE)
    columns = ColumnTransformer(
        [("numbers", "passthrough", NUMBERS), ("words", words, WORDS), ("genes", named, "text")], sparse_threshold=0
    )
    trees = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=20, random_state=seed)
    return make_pipeline(columns, trees)


def tfidf_logistic() -> Pipeline:
    """Logistic regression on the weighted words and word pairs of the evidence."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=20_000, sublinear_tf=True)
    return make_pipeline(ColumnTransformer([("text", words, "text")]), LogisticRegression(max_iter=2000))


def oracle(cases: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The true probability of each case's regimen, matched by patient and start within three days."""
    left = cases[["case_id", "patient_id", "index_day"]].astype({"index_day": "int64"}).sort_values(["index_day", "case_id"])
    right = truth[["patient_id", "start_day", "probability"]].astype({"start_day": "int64"}).sort_values("start_day")
    found = pd.merge_asof(
        left, right, left_on="index_day", right_on="start_day", by="patient_id", direction="nearest", tolerance=NEAREST_DAYS
    )
    return found[["case_id", "probability"]].dropna().rename(columns={"probability": "score"})


def predict(table: pd.DataFrame, predictors: Sequence[str], strength: float, seed: int = 0) -> pd.DataFrame:
    """Held-out predictions of the fitted baselines: case_id, fold, predictor, score.

    Args:
        table: covariates with fold, is_tuning and responder (null where not evaluable), one row a case.
        predictors: which baselines.
        strength: shrinkage of the regimen prior, in cases.
        seed: of the boosted trees.
    """
    models = {"clinical_logistic": clinical_logistic(), "gradient_boosting": gradient_boosting(seed), "tfidf_logistic": tfidf_logistic()}
    rows = []
    # Fold -1 of a design only ever trains.
    for fold in sorted(k for k in table["fold"].unique() if k >= 0):
        held_out = table[table["fold"] == fold]
        train = table[(table["fold"] != fold) & ~table["is_tuning"] & table["responder"].notna()].astype({"responder": bool})
        for name in predictors:
            if name == "regimen_prior":
                score = regimen_prior(train, held_out, strength).to_numpy()
            else:
                score = models[name].fit(train, train["responder"]).predict_proba(held_out)[:, 1]
            rows.append(pd.DataFrame({"case_id": held_out["case_id"].to_numpy(), "fold": fold, "predictor": name, "score": score}))
    return pd.concat(rows, ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, predict, write."""
    parser = step_parser(
        "baselines", "example:\n  oncoraft baselines cases evidence.parquet --design kfold --out baselines/kfold/predictions.parquet"
    )
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, labels and folds")
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="truth of the twin: adds the oracle")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("baselines", given)
    cases = pd.read_parquet(given.cases / "cases.parquet")
    labels = pd.read_parquet(given.cases / "labels.parquet", filters=[("definition", "==", blocks["labels"].definition)])
    folds = pd.read_parquet(given.cases / "folds.parquet", filters=[("design", "==", given.design)])
    table = features(cases, pd.read_parquet(given.evidence)).merge(folds[["case_id", "fold", "is_tuning"]], on="case_id")
    table = table.merge(labels[["case_id", "responder"]], on="case_id", how="left")
    block = blocks["baselines"]
    found = predict(table, block.predictors, block.prior_strength, block.seed)
    counts = {"cases": len(table), "evaluable": int(table["responder"].notna().sum())}
    inputs = [given.evidence, *(given.cases / f"{name}.parquet" for name in ("cases", "labels", "folds"))]
    if given.truth is not None:
        known = oracle(table, pd.read_parquet(given.truth)).merge(table[["case_id", "fold"]], on="case_id").assign(predictor="oracle")
        counts["without_truth"] = len(table) - len(known)
        found = pd.concat([found, known[found.columns]], ignore_index=True)
        inputs.append(given.truth)
    found = found.sort_values(["predictor", "case_id"], ignore_index=True)
    record = given.out.with_name("manifest.json")
    with publishing(given.out, record, step="baselines") as (out, note):
        found.to_parquet(out, index=False)
        settings = settings_record(given, blocks)
        write_json(note, manifest("baselines", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("baselines: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
