"""What the report shows of the cohort: its flow, Table 1, labels and how definitions agree, and how the source rows were read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report import cohort_figures
from oncoraft.report.collect import read_json
from oncoraft.report.tables import share, table

CATEGORIES = ("CR", "PR", "SD", "PD", "NED", "NE")
LEDGER = ["table", "status", "rows_read", "rows_kept", "rows_refused", "rows_duplicate"]


def label_rows(flow: dict[str, Any]) -> list[dict[str, Any]]:
    """Categories of every definition."""
    return [{"definition": name} | {key: counts.get(key, 0) for key in CATEGORIES} for name, counts in flow["labels"].items()]


def section(results: Path) -> dict[str, Any]:
    """All of the cohort, ready for the template; a table whose data an older run lacks is left out, and the page says none.

    Args:
        results: results folder of one cohort.
    """
    flow = read_json(results / "cases" / "flow.json")
    ledger = pd.read_parquet(results / "tables" / "ledger.parquet")
    published = flow["published_rule"]
    return {
        "flow": cohort_figures.flow(flow["steps"]),
        "definition": flow["definition"],
        "by_cancer_type": table(flow["by_cancer_type"]),
        "labels": table(label_rows(flow)),
        "published": share(published["responders_never_imaged"], published["responders"]),
        "ledger": table([{str(key): value for key, value in row.items()} for row in ledger[LEDGER].to_dict("records")]),
    }
