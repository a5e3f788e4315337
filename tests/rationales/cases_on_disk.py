"""Evidence and labels of a handful of cases on disk, as the earlier steps write them."""

from pathlib import Path

import pandas as pd

SCORES = {"CR": 1.0, "PR": 0.7, "SD": 0.3, "PD": 0.0, "NE": None}
GENES = ("EGFR L858R", "KRAS G12D", "TP53 R175H", "APC Q1378*", "PIK3CA H1047R", "BRAF V600E")


def write_cases(folder: Path, cases: int) -> tuple[Path, Path]:
    """`evidence.parquet` and a cases folder with `labels.parquet` of so many cases, each a little different; every fifth is NE."""
    rows, labels = [], []
    for number in range(cases):
        case_id = f"P-{number:07d}_+{10 * number}"
        statements = [
            ("drugs", "drug", "pembrolizumab (PD-1 inhibitor)" if number % 2 else "osimertinib (EGFR inhibitor)"),
            ("diagnosis", "cancer_type", "non-small cell lung cancer"),
            ("patient", "ecog", f"ECOG performance status {number % 3} ({number + 2} days before treatment)"),
            ("disease_status", "progression", f"progression on CT ({number + 9} days before treatment)"),
            ("disease_status", "tumor_marker", f"CEA {number + 1}.5 ng/ml, rising ({number + 3} days before treatment)"),
            ("prior_treatment", "line", f"this is line {number % 4 + 1} of treatment"),
            ("genomics", "msi", "microsatellite stable"),
            ("genomics", "mutation", GENES[number % len(GENES)]),
        ]
        for order, (section, field, text) in enumerate(statements):
            rows.append({"case_id": case_id, "order": order, "section": section, "field": field, "value": text, "text": text})
        category = ("CR", "PR", "SD", "PD", "NE")[number % 5]
        score = SCORES[category]
        labels.append(
            {"case_id": case_id, "definition": "strict", "category": category, "score": score, "responder": score and score >= 0.5}
        )
    (folder / "cases").mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / "evidence.parquet", index=False)
    frame = pd.DataFrame(labels)
    frame["responder"] = frame["responder"].astype("object").map(lambda value: None if value is None else bool(value)).astype("boolean")
    frame.to_parquet(folder / "cases" / "labels.parquet", index=False)
    return folder / "evidence.parquet", folder / "cases"
