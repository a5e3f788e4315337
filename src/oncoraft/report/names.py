"""How predictors are called on a page, in a figure and in the terminal: one name for each."""

from __future__ import annotations

PREDICTORS = {
    "model": "Language model",
    "model_from_text": "Language model, score read from its text",
    "regimen_prior": "Regimen prior",
    "clinical_logistic": "Clinical logistic regression",
    "evidence_logistic": "Logistic regression on all evidence",
    "gradient_boosting": "Gradient boosting",
    "tfidf_logistic": "TF-IDF logistic regression",
    "oracle": "Oracle (twin only)",
    "disease_extent": "Disease extent",
}


def predictor_name(predictor: str) -> str:
    """The name of a predictor for people."""
    return PREDICTORS.get(predictor, predictor)


# What time runs to, and what from.
ENDPOINTS = {
    "overall_survival": "overall survival",
    "progression_free_survival": "progression-free survival",
    "time_to_next_treatment": "time to next treatment",
}
ANCHORS = {"index": "index date", "diagnosis": "diagnosis", "sequencing": "first sequencing"}
