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


def lines_of(one: dict[str, Any]) -> list[str]:
    """The headline of one run as aligned text."""
    lines = [one["run"], f"  {'predictor':<42}{'AUROC (95 % interval)':<26}{'cases':>8}{'responders':>12}"]
    for row in one["auroc"]:
        span = f"{row['estimate']:.3f} ({row['lower']:.3f}-{row['upper']:.3f})"
        lines.append(f"  {predictor_name(row['predictor']):<42}{span:<26}{row['n']!s:>8}{row['events']!s:>12}")
    if one["share_of_oracle_lift"] is not None:
        lines.append(f"  the model keeps {one['share_of_oracle_lift']:.0%} of the oracle's lift over 0.5")
    counts = one["counts"]
    lines += [
        "",
        f"  survival: {counts['attempted']} regimens attempted, {counts['shown']} shown, {counts['tested']} tested, {counts['significant']} where the score adds to the covariates (q)",
    ]
    if one.get("verdict"):
        lines.append(f"  {one['verdict']}")
    if one["regimens"]:
        lines.append(f"  {'regimen':<48}{'cases':>6}{'events':>8}  {'adjusted HR low vs high (95 % interval)':<40}{'gain p':>8}{'q':>8}")
    for row in one["regimens"][:REGIMENS_SHOWN]:
        if row["adjusted_hazard_ratio"] is not None:
            span = f"{row['adjusted_hazard_ratio']:.2f} ({row['adjusted_lower']:.2f}-{row['adjusted_upper']:.2f})"
            gain, q = ("–" if row[name] is None else f"{row[name]:.2g}" for name in ("likelihood_ratio_p", "q"))
            lines.append(f"  {row['regimen_name'][:46]:<48}{row['cases']!s:>6}{row['events']!s:>8}  {span:<40}{gain:>8}{q:>8}")
    return lines


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
