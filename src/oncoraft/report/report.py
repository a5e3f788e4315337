"""One offline page with every table and figure: `oncoraft report results/<cohort> --out index.html`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import run, settings_record, step_parser
from oncoraft.report.cohort import section as cohort_section
from oncoraft.report.collect import Run, read_json, read_runs
from oncoraft.report.experiment import section
from oncoraft.report.names import PREDICTORS, predictor_name
from oncoraft.report.tables import span, table

log = logging.getLogger("oncoraft")
DATA_FILES = ("templates",)
TEMPLATE = Path(__file__).parent / DATA_FILES[0] / "report.html.jinja"
EXAMPLES = 4
POOLING_TOLERANCE = 0.01


def headline(runs: list[Run]) -> dict[str, Any]:
    """The headline of every run: AUROC beside the baselines, regimens, the strongest regimens."""
    result = []
    for one in runs:
        rows = [row for row in one.metrics if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds")]
        order = list(PREDICTORS)
        rows.sort(key=lambda row: order.index(row["predictor"]) if row["predictor"] in order else len(order))
        by_name = {row["predictor"]: row for row in rows}
        share = None
        if "oracle" in by_name:
            share = (by_name["model"]["estimate"] - 0.5) / (by_name["oracle"]["estimate"] - 0.5)
        keep = ["regimen_name", "cancer_type", "cases", "events", "adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper"]
        keep += ["likelihood_ratio_p", "q", "hazard_ratio", "lower", "upper", "log_rank_p"]
        regimens = [{key: row[key] for key in keep} for row in one.survival["regimens"]]
        counts = one.survival["counts"] | {
            "significant": sum(row["q"] is not None and row["q"] <= one.survival["settings"]["alpha"] for row in one.survival["regimens"])
        }
        result.append({"run": one.name, "auroc": rows, "share_of_oracle_lift": share, "counts": counts, "regimens": regimens})
    return {"runs": result}


def headline_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The headline table: a model's own rows for each run, the runs by AUROC, then what they are held against, once for each design."""
    own: list[tuple[str, dict[str, Any]]] = []
    beside: dict[tuple[Any, ...], tuple[str, dict[str, Any]]] = {}
    for one in sorted(summary["runs"], key=lambda one: -one["auroc"][0]["estimate"]):
        design = one["run"].rsplit(" · ", 1)[-1]
        for row in one["auroc"]:
            if row["predictor"].startswith("model"):
                own.append((one["run"], row))
            else:
                beside.setdefault((design, row["predictor"], row["estimate"], row["n"]), (f"any model · {design}", row))
    alone = len(summary["runs"]) == 1
    return [
        {
            "run": summary["runs"][0]["run"] if alone else run,
            "predictor": predictor_name(row["predictor"]),
            "AUROC (95 % interval)": span(row, "estimate"),
            "cases": row["n"],
            "responders": row["events"],
            "patients": row["patients"],
        }
        for run, row in [*own, *beside.values()]
    ]


def checks(results: Path, runs: list[Run]) -> list[dict[str, Any]]:
    """What was asserted on the way, in words."""
    audit = read_json(results / "prompts" / "audit.json") or {}
    found = [
        {
            "passed": bool(audit.get("passed")),
            "text": f"look-ahead audit of {audit.get('cases', 0)} cases and {audit.get('statements', 0):,} statements",
        }
    ]
    for design in dict.fromkeys(one.design for one in runs):
        if selection := read_json(results / "selection" / design / "selection.json"):
            flagged = ", ".join(selection["flagged"])
            text = f"selection audit ({design}): kinds of evidence that tell of being in the cohort: {flagged or 'none'}"
            found.append({"passed": not flagged, "text": text})
    for one in runs:
        mean, pooled = one.metric("model", "auroc"), one.metric("model", "auroc", "pooled")
        # Folds of another kind differ by design, and so do their scores.
        if mean and pooled and one.design.startswith("kfold"):
            gap = abs(mean["estimate"] - pooled["estimate"])
            found.append(
                {
                    "passed": gap <= POOLING_TOLERANCE,
                    "text": f"{one.name}: pooled AUROC differs from the mean of folds by {gap:.3f} (flagged above {POOLING_TOLERANCE})",
                }
            )
    return found


def render(results: Path, runs: list[Run], show_rationales: bool) -> str:
    """The page."""
    is_twin = any(row["predictor"] == "oracle" for one in runs for row in one.metrics)
    texts = [row["rationale"] for one in runs for row in one.examples[:EXAMPLES]] if is_twin or show_rationales else []
    note = read_json(results / "cases" / "labels.parquet.manifest.json") or {}
    recorded = {path.parents[2].name: read_json(path)["settings"] for path in sorted(results.glob("*/*/*/fold-0/manifest.json"))}
    template = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=results.name,
        is_twin=is_twin,
        headline_table=table(headline_rows(headline(runs))),
        checks=checks(results, runs),
        cohort=cohort_section(results, runs),
        runs=[section(one) for one in runs],
        examples=[escape(text) for text in texts],
        settings=escape(json.dumps({"labels": note.get("settings"), "training": recorded, "versions": note.get("versions")}, indent=1)),
    )


# What the folder of the page's data holds, by the pattern of its name.
WRITTEN = ("*.csv",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read results, write the page, the headline and the data of every table."""
    parser = step_parser("report", "example:\n  oncoraft report results/demo --out results/demo/report/index.html")
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR", help="results folder of one cohort")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="index.html to write")
    parser.add_argument("--show-rationales", action="store_true", help="show generated texts of a real cohort too")
    parser.add_argument(
        "--metrics", type=Path, nargs="+", default=[], metavar="FILE", help="metrics.json of the runs to show; default: all"
    )
    given = parser.parse_args(arguments)
    runs = read_runs(given.results, given.metrics)
    page = render(given.results, runs, given.show_rationales)
    home = given.out.parent
    files = [given.out, home / "headline.json", home / "data", home / "manifest.json"]
    with publishing(*files, step="report", folders=[home / "data"], own=WRITTEN) as (html, summary, data, note):
        html.write_text(page, encoding="utf-8")
        write_json(summary, headline(runs))
        data.mkdir()
        for place, one in enumerate(runs, 1):
            write_csv(data / f"metrics-{place}.csv", pd.DataFrame(one.metrics))
            write_csv(data / f"regimens-{place}.csv", pd.DataFrame(one.survival["regimens"]))
            write_csv(data / f"calibration-{place}.csv", one.calibration)
            write_csv(data / f"decision-{place}.csv", one.decision)
            write_csv(data / f"curves-{place}.csv", one.curves)
        homes = [given.results / one.model / one.strategy / one.design for one in runs]
        inputs = [path for one in homes for name in ("metrics", "survival") for path in (one / name).glob("*.json")]
        inputs.append(given.results / "cases" / "flow.json")
        outputs = {given.out: html, files[1]: summary} | {home / "data" / path.name: path for path in sorted(data.iterdir())}
        settings = settings_record(given, {})
        write_json(note, manifest("report", inputs=inputs, outputs=outputs, settings=settings, counts={"runs": len(runs)}, beside=files[3]))
    log.info("report: %s", given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
