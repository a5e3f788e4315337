"""Clinical covariates of each case at its index date, as the baselines and the adjusted survival models use them.

They are read from the evidence, so that nothing enters that a prompt could not show.
"""

from __future__ import annotations

import pandas as pd

FIELDS = ["age_at_index", "sex", "stage", "ecog"]


def clinical_covariates(cases: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Cases with age (years), ecog (0 to 4), line, sex and stage; of repeated kinds the closest record.

    Args:
        cases: cases.parquet.
        evidence: evidence.parquet: one row a statement.

    Returns:
        The cases in their order with five more columns; numbers are nan and words "unknown" where nothing was known.
    """
    closest = evidence[evidence["field"].isin(FIELDS)].sort_values(["days_before_index", "order"]).drop_duplicates(["case_id", "field"])
    wide = closest.pivot(index="case_id", columns="field", values="value").reindex(columns=FIELDS)
    joined = cases.merge(wide, left_on="case_id", right_index=True, how="left")
    joined["age"] = pd.to_numeric(joined["age_at_index"].str.extract(r"(\d+)", expand=False), errors="coerce")
    joined["ecog"] = pd.to_numeric(joined["ecog"], errors="coerce")
    joined["line"] = joined["line_of_therapy"].astype(float)
    joined[["sex", "stage"]] = joined[["sex", "stage"]].fillna("unknown")
    return joined
