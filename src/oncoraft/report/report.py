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

from oncoraft.edge import run, settings_record, step_parser
from oncoraft.provenance import manifest, publishing, write_json
from oncoraft.report import figures
from oncoraft.report.collect import Run, read_json, read_runs

log = logging.getLogger("oncoraft")
DATA_FILES = ("templates",)
TEMPLATE = Path(__file__).parent / DATA_FILES[0] / "report.html.jinja"
EXAMPLES = 4
POOLING_TOLERANCE = 0.01


def number(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def p_value(value: float | None) -> str:
    """A p or q for people."""
    return "–" if value is None or value != value else ("< 0.001" if value < 0.001 else f"{value:.3f}")


def span(row: dict[str, Any], estimate: str, lower: str = "lower", upper: str = "upper", digits: int = 3) -> str:
    """An estimate with its interval."""
    return f"{number(row[estimate], digits)} ({number(row[lower], digits)}–{number(row[upper], digits)})"


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as an HTML table, keys as headings."""
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th scope='col'>{escape(str(key))}</th>" for key in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def headline(runs: list[Run]) -> dict[str, Any]:
    """The headline of every run: AUROC beside the baselines, regimens, the strongest regimens."""
    result = []
    for one in runs:
        rows = [row for row in one.metrics if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds")]
        order = {"model": 0, "regimen_prior": 1, "clinical_logistic": 2, "oracle": 3}
        rows.sort(key=lambda row: order.get(row["predictor"], 9))
        by_name = {row["predictor"]: row for row in rows}
        share = None
        if "oracle" in by_name:
            share = (by_name["model"]["estimate"] - 0.5) / (by_name["oracle"]["estimate"] - 0.5)
        keep = ("regimen_name", "cancer_type", "cases", "events", "hazard_ratio", "lower", "upper", "log_rank_p", "q")
        regimens = [{key: row[key] for key in keep} for row in one.survival["regimens"]]
        counts = one.survival["counts"] | {
            "significant": sum((row["q"] or 1) <= one.survival["settings"]["alpha"] for row in one.survival["regimens"])
        }
        result.append({"run": one.name, "auroc": rows, "share_of_oracle_lift": share, "counts": counts, "regimens": regimens})
    return {"runs": result}


def headline_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The headline table."""
    return [
        {
            "run": one["run"],
            "predictor": figures.NAMES.get(row["predictor"], row["predictor"]),
            "AUROC (95 % interval)": span(row, "estimate"),
            "cases": row["n"],
            "responders": row["events"],
            "patients": row["patients"],
        }
        for one in summary["runs"]
        for row in one["auroc"]
    ]


def regimen_rows(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The survival table."""
    return [
        {
            "regimen": row["regimen_name"],
            "cancer type": row["cancer_type"],
            "cases": row["cases"],
            "events": row["events"],
            "median high / low (months)": f"{number(row['median_months_high'], 1)} / {number(row['median_months_low'], 1)}",
            "HR low vs high (95 % interval)": span(row, "hazard_ratio", digits=2),
            "log-rank p": p_value(row["log_rank_p"]),
            "q": p_value(row["q"]),
            "HR without delayed entry": span(row, "naive_hazard_ratio", "naive_lower", "naive_upper", 2),
        }
        for row in records
    ]


def run_section(one: Run) -> dict[str, Any]:
    """What the template shows of one run."""
    metric_rows = [
        {
            "predictor": figures.NAMES.get(row["predictor"], row["predictor"])
            + (f" − {figures.NAMES.get(row['reference'], row['reference'])}" if row["reference"] else ""),
            "metric": row["metric"].replace("_", " "),
            "scope": row["scope"].replace("_", " ") + (f": {row['group']}" if row["group"] is not None else ""),
            "estimate (95 % interval)": span(row, "estimate") if row["lower"] is not None else number(row["estimate"]),
            "cases": row["n"],
            "responders": row["events"],
        }
        for row in one.metrics
    ]
    records = one.survival["regimens"]
    curves = [
        {
            "name": row["regimen_name"],
            "svg": figures.kaplan_meier(row, one.curves),
            "caption": f"{row['cancer_type']}; HR {span(row, 'hazard_ratio', digits=2)}, log-rank p {p_value(row['log_rank_p'])}, {row['delayed_entry_cases']} of {row['cases']} with delayed entry",
        }
        for row in records
    ]
    skipped = [
        {"regimen": r["regimen_name"], "cancer type": r["cancer_type"], "cases": r["cases"], "events": r["events"], "reason": r["reason"]}
        for r in one.survival["skipped"]
    ]
    return {
        "name": one.name,
        "predictors": figures.predictors(one),
        "roc": figures.roc(one),
        "metric_table": table(metric_rows),
        "statement": one.survival["statement"],
        "counts": one.survival["counts"],
        "forest": figures.forest(records) if records else "",
        "regimen_table": table(regimen_rows(records)),
        "curves": curves,
        "cancer_survival": table(regimen_rows(one.survival["cancer_types"])),
        "skipped_table": table(skipped),
    }


def checks(results: Path, runs: list[Run]) -> list[dict[str, Any]]:
    """What was asserted on the way, in words."""
    audit = read_json(results / "prompts" / "audit.json") or {}
    found = [
        {
            "passed": bool(audit.get("passed")),
            "text": f"look-ahead audit of {audit.get('cases', 0)} cases and {audit.get('statements', 0):,} statements",
        }
    ]
    for one in runs:
        mean, pooled = one.metric("model", "auroc"), one.metric("model", "auroc", "pooled")
        if mean and pooled:
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
    flow = read_json(results / "cases" / "flow.json")
    ledger = pd.read_parquet(results / "tables" / "ledger.parquet")
    columns = ["table", "status", "rows_read", "rows_kept", "rows_refused", "rows_duplicate"]
    is_twin = any(row["predictor"] == "oracle" for one in runs for row in one.metrics)
    texts = [row["rationale"] for one in runs for row in one.examples[:EXAMPLES]] if is_twin or show_rationales else []
    label_rows = [
        {"definition": name} | {key: counts.get(key, 0) for key in ("CR", "PR", "SD", "PD", "NED", "NE")}
        for name, counts in flow["labels"].items()
    ]
    note = read_json(results / "cases" / "labels.parquet.manifest.json") or {}
    recorded = {path.parent.name: read_json(path)["settings"] for path in sorted(results.glob("*/*/*/fold-0/manifest.json"))}
    template = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        cohort=results.name,
        is_twin=is_twin,
        headline_table=table(headline_rows(headline(runs))),
        checks=checks(results, runs),
        flow_figure=figures.flow(flow["steps"]),
        cancer_table=table(flow["by_cancer_type"]),
        label_table=table(label_rows),
        published=flow["published_rule"],
        ledger_table=table([{str(key): value for key, value in row.items()} for row in ledger[columns].to_dict("records")]),
        runs=[run_section(one) for one in runs],
        examples=[escape(text) for text in texts],
        definition=flow["definition"],
        settings=escape(json.dumps({"labels": note.get("settings"), "training": recorded, "versions": note.get("versions")}, indent=1)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Read results, write the page, the headline and the data of every table."""
    parser = step_parser("report", "example:\n  oncoraft report results/demo --out results/demo/report/index.html")
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR", help="results folder of one cohort")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="index.html to write")
    parser.add_argument("--show-rationales", action="store_true", help="show generated texts of a real cohort too")
    given = parser.parse_args(arguments)
    runs = read_runs(given.results)
    page = render(given.results, runs, given.show_rationales)
    home = given.out.parent
    files = [given.out, home / "headline.json", home / "data", home / "manifest.json"]
    with publishing(*files) as (html, summary, data, note):
        html.write_text(page, encoding="utf-8")
        write_json(summary, headline(runs))
        data.mkdir()
        for place, one in enumerate(runs, 1):
            pd.DataFrame(one.metrics).to_csv(data / f"metrics-{place}.csv", index=False)
            pd.DataFrame(one.survival["regimens"]).to_csv(data / f"regimens-{place}.csv", index=False)
        inputs = [
            path for pattern in ("*/*/*/metrics/*.json", "*/*/*/survival/*.json", "cases/flow.json") for path in given.results.glob(pattern)
        ]
        outputs = {given.out: html, files[1]: summary}
        settings = settings_record(given, {})
        write_json(note, manifest("report", inputs=inputs, outputs=outputs, settings=settings, counts={"runs": len(runs)}, beside=files[3]))
    log.info("report: %s", given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
