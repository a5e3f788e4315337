"""The headline table in the terminal: `oncoraft headline results/<cohort>/report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.planning.edge import run, step_parser
from oncoraft.report.collect import read_json
from oncoraft.report.names import predictor_name

REGIMENS_SHOWN = 10
NAME = 56  # letters of a regimen and its cancer type
LEADS = {"auroc_difference": "over all cases", "auroc_within_regimen_difference": "within regimen"}


def ratio(row: dict[str, Any], stem: str) -> str:
    """A hazard ratio with its interval, or a dash."""
    value, lower, upper = (row[f"{stem}{name}"] for name in ("hazard_ratio", "lower", "upper"))
    return "–" if value is None else f"{value:.2f} ({lower:.2f}-{upper:.2f})"


def lead_lines(one: dict[str, Any]) -> list[str]:
    """The model's lead over the clinical regression and over the best baseline, with intervals."""
    found: dict[str, list[str]] = {}
    for row in one.get("leads", ()):
        span = f"{row['estimate']:+z.3f} ({row['lower']:+z.3f} to {row['upper']:+z.3f})"
        found.setdefault(row["reference"], []).append(f"{span} {LEADS[row['metric']]}")
    return [f"  AUROC less that of {predictor_name(name)}: {'; '.join(told)}" for name, told in found.items()]


def survival_lines(one: dict[str, Any]) -> list[str]:
    """What the score adds to the covariates: counts, the pooled ratio, and the regimens of most events."""
    counts, pooled = one["counts"], one.get("pooled")
    lines = [
        f"  survival: {counts['attempted']} regimens attempted, {counts['shown']} shown, {counts['tested']} tested, {counts['significant']} where the score adds to the covariates (q)"
    ]
    if pooled:
        further = f"{pooled['prediction_lower']:.2f}-{pooled['prediction_upper']:.2f}"
        lines.append(
            f"  adjusted HR over {pooled['regimens']} tested regimens: {ratio(pooled, '')}, a further regimen {further} (above 1, low scores die sooner)"
        )
    if one["regimens"]:
        heads = f"{'adjusted HR, low vs high':<26}{'gain p':>8}{'q':>8}  raw HR, low vs high"
        lines.append(f"  {'regimen, cancer type':<{NAME + 2}}{'cases':>6}{'events':>8}  {heads}")
    for row in one["regimens"][:REGIMENS_SHOWN]:
        name = f"{row['regimen_name']}, {row['cancer_type'].removesuffix(' Cancer')}"
        gain, q = ("–" if row[key] is None else f"{row[key]:.2g}" for key in ("likelihood_ratio_p", "q"))
        numbers = f"{ratio(row, 'adjusted_'):<26}{gain:>8}{q:>8}  {ratio(row, '')}"
        lines.append(f"  {name[:NAME]:<{NAME + 2}}{row['cases']!s:>6}{row['events']!s:>8}  {numbers}")
    if (more := len(one["regimens"]) - REGIMENS_SHOWN) > 0:
        lines.append(f"  and {more} more, in the report")
    return lines


def lines_of(one: dict[str, Any]) -> list[str]:
    """The headline of one run as aligned text."""
    lines = [one["run"], f"  {'predictor':<42}{'AUROC (95 % interval)':<26}{'cases':>8}{'responders':>12}"]
    for row in one["auroc"]:
        span = f"{row['estimate']:.3f} ({row['lower']:.3f}-{row['upper']:.3f})"
        lines.append(f"  {predictor_name(row['predictor']):<42}{span:<26}{row['n']!s:>8}{row['events']!s:>12}")
    if one["share_of_oracle_lift"] is not None:
        lines.append(f"  the model keeps {one['share_of_oracle_lift']:.0%} of the oracle's lift over 0.5")
    if one.get("verdict"):
        lines.append(f"  {one['verdict']}")
    return [*lines, *lead_lines(one), "", *survival_lines(one)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print."""
    parser = step_parser("headline", "example:\n  oncoraft headline results/demo/report")
    parser.add_argument("report", type=Path, metavar="REPORT_DIR", help="folder written by `oncoraft report`")
    given = parser.parse_args(arguments)
    summary = read_json(given.report / "headline.json")
    if summary is None:
        raise InputError("expected a report written by `oncoraft report`", file=given.report / "headline.json")
    for one in summary["runs"]:
        print("\n".join(lines_of(one)), end="\n\n")
    print(f"The report: {given.report / 'index.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
