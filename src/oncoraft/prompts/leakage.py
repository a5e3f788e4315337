"""How much of the label a text model can read from the teacher's rationales, beside the same model on the prompts.

`oncoraft leakage prompts.jsonl rationales.jsonl CASES --design kfold --out leakage.json`. In every fold a TF-IDF logistic
regression learns from the training part (tuning patients left out) and is judged on the held-out part, once on rationales and
once on prompts. What rationales tell beyond the prompts is what the teacher was told: near 1 where it sees the label. That
is by design there (as published) and harmless as long as the score is read before the rationale begins and no rationale of a
held-out patient trains; but it must be seen, and the words that give the label away are listed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Audit
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.audit import sample
from oncoraft.prompts.joined import ARROW_TEXT, ByCase, fold_rows, label_rows

log = logging.getLogger("oncoraft")
TEXTS = ("rationale", "prompt")
TELLING_WORDS = 10  # shown for each side
METHOD = "TF-IDF of words and pairs of words, logistic regression, trained without the held-out and the tuning patients"
FEWEST = 10  # cases of each class in a training and in a held-out part, below which a fold is not judged


def text_model() -> Pipeline:
    """Words and pairs of words weighted by TF-IDF, then an L2 logistic regression; nothing is fitted outside training."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w[\w*+-]*")
    return make_pipeline(words, LogisticRegression(max_iter=1000, class_weight="balanced"))


def eligible(prompts: pa.Array, rationales: pa.Array, labels: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Case ids that `gather` would have, in its order, found without a text.

    Args:
        prompts, rationales: case ids of the two files.
        labels, folds: see `gather`.
    """
    found = labels.dropna(subset=["responder"])[["case_id"]].merge(folds[["case_id"]], on="case_id", validate="one_to_one")
    ids = pa.array(found["case_id"], pa.string())
    has_both = pc.and_(pc.is_in(ids, value_set=prompts), pc.is_in(ids, value_set=rationales))
    return found[has_both.to_numpy(zero_copy_only=False)].sort_values("case_id", kind="stable").reset_index(drop=True)


def gather(prompts: list[dict[str, Any]], rationales: list[dict[str, Any]], labels: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Labelled cases that have a rationale: case_id, prompt, rationale, responder, fold, is_tuning.

    Args:
        prompts, rationales: rows of the two files.
        labels: of one definition.
        folds: of one design.
    """
    # Text by name: of no rows pandas would make numbers, which join no text.
    frame = pd.DataFrame({"case_id": [row["case_id"] for row in prompts], "prompt": [row["input"] for row in prompts]}, dtype=object)
    told = pd.DataFrame(
        {"case_id": [row["case_id"] for row in rationales], "rationale": [row["rationale"] for row in rationales]}, dtype=object
    )
    frame = frame.merge(told, on="case_id", validate="one_to_one")
    frame = frame.merge(labels.dropna(subset=["responder"])[["case_id", "responder"]], on="case_id", validate="one_to_one")
    frame = frame.merge(folds[["case_id", "fold", "is_tuning"]], on="case_id", validate="one_to_one")
    return frame.assign(responder=frame["responder"].astype(bool)).sort_values("case_id", kind="stable").reset_index(drop=True)


def read(prompts: Path, rationales: Path, cases: Path, design: str, definition: str, audit: Audit) -> tuple[pd.DataFrame, int]:
    """The sampled cases, as `gather` has them, and how many there are to draw from; what is read of the others is let go.

    Raises:
        InputError: no folds of the design, or an input that is not as it should be.
    """
    labels = label_rows(cases, definition, ["case_id", "responder"]).to_pandas(types_mapper=ARROW_TEXT)
    # What telling them apart took would stay beside what the next table takes.
    pa.default_memory_pool().release_unused()
    folds = fold_rows(cases, design)
    if folds.empty:
        raise InputError("expected folds of this design", file=cases / "folds.parquet", column="design", found=design)
    asked, answered = ByCase(prompts, ("case_id", "input")), ByCase(rationales, ("case_id", "rationale"))
    there = eligible(asked.case_ids, answered.case_ids, labels, folds)
    chosen = set(sample(there, audit.text_model_cases, audit.seed)["case_id"])
    labels, folds = (rows[rows["case_id"].isin(chosen)].astype({"case_id": object}) for rows in (labels, folds))
    told, taught = ([row for row in rows.stream if row["case_id"] in chosen] for rows in (asked, answered))
    return gather(told, taught, labels, folds), len(there)


def judge(frame: pd.DataFrame, fold: int) -> dict[str, Any] | None:
    """AUROC of both text models on one held-out fold; None where a part has too few cases of a class.

    Args:
        frame: from `gather`.
        fold: the fold that is held out.
    """
    # Without the tuning patients, as the model itself is trained.
    train = frame[(frame["fold"] != fold) & ~frame["is_tuning"]]
    held_out = frame[frame["fold"] == fold]
    if any(part["responder"].value_counts().reindex([True, False], fill_value=0).min() < FEWEST for part in (train, held_out)):
        return None
    found: dict[str, Any] = {
        "fold": int(fold),
        "train": len(train),
        "held_out": len(held_out),
        "responders": int(held_out["responder"].sum()),
    }
    for text in TEXTS:
        model = text_model().fit(train[text], train["responder"])
        found[f"auroc_{text}"] = float(roc_auc_score(held_out["responder"], model.predict_proba(held_out[text])[:, 1]))
        if text == "rationale":
            found["weights"] = dict(zip(model[0].get_feature_names_out(), model[1].coef_[0]))
    return found


def leakage(frame: pd.DataFrame) -> dict[str, Any]:
    """Both text models in every fold, their means, and the words of rationales that tell the label.

    Where no fold has enough cases of both classes there is nothing to judge: `not_estimated` says so, and every estimate is null.
    """
    held_out = sorted(fold for fold in frame["fold"].unique() if fold >= 0)  # fold -1 of a design only ever trains
    judged = [found for fold in held_out if (found := judge(frame, fold))]
    counts = {"cases": len(frame), "folds_judged": len(judged), "folds_too_small": len(held_out) - len(judged)}
    if not judged:
        reason = f"no fold has {FEWEST} responders and {FEWEST} others, in training and held out, with rationales"
        nothing = dict.fromkeys(("auroc_rationale", "auroc_prompt", "difference"))
        return (
            counts
            | nothing
            | {"words_for_response": [], "words_against_response": [], "folds": [], "method": METHOD, "not_estimated": reason}
        )
    weights = pd.DataFrame([found.pop("weights") for found in judged]).fillna(0.0).mean().sort_index()
    ordered = weights.sort_values(kind="stable")
    means = {f"auroc_{text}": float(np.mean([found[f"auroc_{text}"] for found in judged])) for text in TEXTS}
    return {
        **counts,
        **means,
        "difference": means["auroc_rationale"] - means["auroc_prompt"],
        "words_for_response": ordered[ordered > 0].index[::-1][:TELLING_WORDS].tolist(),
        "words_against_response": ordered[ordered < 0].index[:TELLING_WORDS].tolist(),
        "folds": judged,
        "method": METHOD,
        "not_estimated": None,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read prompts, rationales, labels and folds; write leakage.json."""
    parser = step_parser("leakage", "example:\n  oncoraft leakage prompts.jsonl rationales.jsonl cases --design kfold --out leakage.json")
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl")
    parser.add_argument("rationales", type=Path, metavar="RATIONALES", help="rationales.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, labels and folds")
    parser.add_argument("--design", default="kfold", help="cross-validation design whose folds are used")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="leakage.json to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("leakage", given)
    frame, there = read(given.prompts, given.rationales, given.cases, given.design, blocks["labels"].definition, blocks["audit"])
    report = leakage(frame) | {"design": given.design, "cases_with_rationale": there}
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="leakage") as (out, note):
        write_json(out, report)
        inputs = [given.prompts, given.rationales, given.cases / "labels.parquet", given.cases / "folds.parquet"]
        settings, counts = settings_record(given, blocks), {key: report[key] for key in ("cases", "folds_judged", "folds_too_small")}
        write_json(note, manifest("leakage", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    if report["not_estimated"]:
        log.warning("leakage: not estimated: %s", report["not_estimated"])
    else:
        figures = (report["auroc_rationale"], report["auroc_prompt"], there)
        log.info("leakage: AUROC %.3f from rationales, %.3f from prompts, on %d cases", *figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
