"""Cases to click: made up, of nobody."""

from __future__ import annotations

from typing import Any


def _case(title: str, *entries: tuple[Any, ...]) -> dict[str, Any]:
    names = ("field", "value", "days", "detail")
    return {"title": title, "entries": [dict(zip(names, entry)) for entry in entries]}


DEMO: tuple[dict[str, Any], ...] = (
    _case(
        "Lung cancer with EGFR L858R, osimertinib, first line",
        ("drug", "osimertinib"), ("setting", "metastatic"), ("line", "1"), ("cancer_type", "Non-Small Cell Lung Cancer"), ("sex", "Female"),
        ("age_at_index", "63"), ("diagnosed", "", 40), ("stage", "Stage 4"), ("histology", "adenocarcinoma"), ("ecog", "1", 5),
        ("cancer_presence", "Y", 14), ("tumor_sites", "Lung", 14), ("tumor_sites", "Bone", 14), ("tumor_marker", "18.4", 9, "CEA"),
        ("specimen_type", "Primary", 25), ("mutation", "EGFR L858R"), ("mutation", "TP53 R175H"), ("msi", "Stable"), ("tmb", "4.1"),
    ),
    _case(
        "Colorectal cancer with KRAS G12D, FOLFIRI and bevacizumab after FOLFOX",
        ("drug", "fluorouracil + irinotecan + bevacizumab"), ("setting", "metastatic"), ("line", "2"), ("cancer_type", "Colorectal Cancer"),
        ("sex", "Male"), ("age_at_index", "58"), ("diagnosed", "", 420), ("stage", "Stage 4"), ("histology", "adenocarcinoma"), ("ecog", "1", 3),
        ("progression", "Y", 12), ("cancer_presence", "Y", 12), ("tumor_sites", "Liver", 12), ("tumor_marker", "64", 10, "CEA"),
        ("tumor_marker", "31", 80, "CEA"), ("prior_regimen", "fluorouracil + oxaliplatin", 380), ("specimen_type", "Metastasis", 300),
        ("mutation", "KRAS G12D"), ("mutation", "APC R1450*"), ("msi", "Stable"), ("tmb", "6.1"),
    ),
    _case(
        "Breast cancer, hormone receptor positive, palbociclib and letrozole",
        ("drug", "palbociclib + letrozole"), ("setting", "metastatic"), ("line", "1"), ("cancer_type", "Breast Cancer"), ("sex", "Female"),
        ("age_at_index", "71"), ("diagnosed", "", 2100), ("histology", "infiltrating duct carcinoma"), ("ecog", "0", 8),
        ("cancer_presence", "Y", 20), ("tumor_sites", "Bone", 20), ("hormone_receptor", "positive"), ("her2", "negative"),
        ("specimen_type", "Metastasis", 18), ("mutation", "PIK3CA H1047R"), ("tmb", "2.5"), ("msi", "Stable"),
    ),
)  # fmt: skip
