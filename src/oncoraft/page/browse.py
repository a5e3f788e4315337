"""A results folder to look through: its runs with their headline, and the report with its data; no other file of it can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oncoraft.page.study import runs_of
from oncoraft.report.collect import read_json
from oncoraft.report.page import SCRIPT, STYLE_SHEET, digest

REPORT_FILES = frozenset((".html", ".csv", ".svg", ".md", ".json"))


def report_policy() -> str:
    """The report's own policy, in a sandbox: its script runs, and cannot ask this server anything."""
    own = f"style-src {digest(STYLE_SHEET)}; script-src {digest(SCRIPT)}"
    return (
        f"sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; {own}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def report_file(root: Path, path: str) -> Path | None:
    """A file of a report below a results folder; None where it is none, does not exist, or lies elsewhere behind a link."""
    home = root.resolve()
    try:
        found = (home / path).resolve()
        is_there = found.is_file()
    except (OSError, ValueError):  # too long a name, or a zero byte in it
        return None
    if not is_there or not found.is_relative_to(home) or found.suffix not in REPORT_FILES:
        return None
    return found if "report" in found.relative_to(home).parts[:-1] else None


def listed(root: Path) -> dict[str, Any]:
    """Runs with their AUROC and counts, and whether there is a report, for a results folder or one that holds several."""
    homes = [root] if (root / "cases").is_dir() else sorted(path.parent for path in root.glob("*/cases"))
    return {"name": root.resolve().name, "cohorts": [_cohort(root, home) for home in homes]}


def _cohort(root: Path, home: Path) -> dict[str, Any]:
    runs = []
    for folder in runs_of(home):
        rows = read_json(folder / "metrics" / "metrics.json") or []
        auroc = next((row for row in rows if (row["predictor"], row["metric"], row["scope"]) == ("model", "auroc", "mean_of_folds")), None)
        counts = (read_json(folder / "survival" / "survival.json") or {}).get("counts", {})
        verdict = read_json(folder / "metrics" / "verdict.json") or {}
        runs.append({"name": " / ".join(folder.parts[-3:]), "auroc": auroc, "counts": counts, "sentence": verdict.get("sentence", "")})
    report = home / "report" / "index.html"
    place = report.relative_to(root).as_posix() if report.is_file() else None
    return {"name": home.resolve().name, "runs": runs, "report": place, "has_cases": (home / "cases" / "cases.parquet").is_file()}
