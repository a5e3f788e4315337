"""One offline page with every table and figure: `oncoraft report results/<cohort> --out index.html`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.report import cohort, discrimination, summary, survival
from oncoraft.report.collect import Run, read_json, read_runs
from oncoraft.report.page import fill
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import table

log = logging.getLogger("oncoraft")
EXAMPLES = 4


def render(results: Path, runs: Sequence[Run], show_rationales: bool, guard: Guard) -> str:
    """The page.

    Args:
        results: results folder of one cohort.
        runs: the experiments to show, their metrics guarded already.
        show_rationales: show generated texts of a real cohort too.
        guard: what hides small cells.
    """
    is_twin = any(row["predictor"] == "oracle" for one in runs for row in one.metrics)
    texts = [row["rationale"] for one in runs for row in one.examples[:EXAMPLES]] if is_twin or show_rationales else []
    note = read_json(results / "cases" / "labels.parquet.manifest.json") or {}
    recorded = {path.parents[2].name: read_json(path)["settings"] for path in sorted(results.glob("*/*/*/fold-0/manifest.json"))}
    flow = read_json(results / "cases" / "flow.json")
    if flow is None:
        raise InputError("expected counts written by `oncoraft flow`", file=results / "cases" / "flow.json")
    designs = list(dict.fromkeys(one.design for one in runs))
    return fill(
        title=results.name,
        is_twin=is_twin,
        summary={"done": summary.done(flow, runs, guard), "conclusion": summary.conclusion(runs)},
        headline_table=table(summary.headline_rows(summary.headline(runs))),
        checks=summary.checks(results, flow, runs, guard),
        cohort=cohort.section(results, runs, guard),
        runs=[discrimination.section(one, guard) | survival.section(one, guard) for one in runs],
        comparison=table(summary.comparison_rows(results, designs)),
        examples=texts,
        small_cells=guard.rule(),
        settings=json.dumps({"labels": note.get("settings"), "training": recorded, "versions": note.get("versions")}, indent=1),
    )


def data_files(one: Run, guard: Guard) -> dict[str, pd.DataFrame]:
    """The numbers behind the page of one experiment, by the stem of the file's name."""
    regimens = pd.DataFrame(survival.guarded(one.survival["regimens"], guard))
    nested = [name for name in ("at_risk", "covariates", "comparators", "survival_at", "hazard_ratio_by_period") if name in regimens]
    others = (
        one.calibration.assign(others=one.calibration["n"] - one.calibration["responders"])
        if not one.calibration.empty
        else one.calibration
    )
    calibration = guard.frame(others, [("n", "responders", "others")], of={"observed": "responders"})
    return {
        "metrics": pd.DataFrame(one.metrics),
        "regimens": regimens.drop(columns=nested if guard.smallest > 1 else []),
        "calibration": calibration.drop(columns="others", errors="ignore"),
        "decision": one.decision,
        "definitions": guard.frame(one.definitions, [("n",), ("events",), ("patients",)]),
        "distribution": one.distribution if guard.smallest <= 1 else one.distribution.iloc[:0],
        "curves": guard.curves(one.curves),
    }


def guarded(one: Run, guard: Guard) -> Run:
    """A run whose metrics hold no small count."""
    return replace(one, metrics=discrimination.guarded(one.metrics, guard))


def headline(runs: Sequence[Run], guard: Guard) -> dict[str, Any]:
    """The headline of every run, small counts marked."""
    shown = [replace(one, survival=one.survival | {"regimens": survival.guarded(one.survival["regimens"], guard)}) for one in runs]
    return summary.headline(shown)


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
    blocks = read_settings("report", given)
    guard = Guard(blocks["report"].smallest_cell)
    runs = [guarded(one, guard) for one in read_runs(given.results, given.metrics)]
    page = render(given.results, runs, given.show_rationales, guard)
    home = given.out.parent
    files = [given.out, home / "headline.json", home / "data", home / "manifest.json"]
    with publishing(*files, step="report", folders=[home / "data"], own=WRITTEN) as (html, top, data, note):
        html.write_text(page, encoding="utf-8")
        write_json(top, headline(runs, guard))
        data.mkdir()
        for place, one in enumerate(runs, 1):
            for name, frame in data_files(one, guard).items():
                write_csv(data / f"{name}-{place}.csv", frame)
        homes = [given.results / one.model / one.strategy / one.design for one in runs]
        inputs = [path for one in homes for name in ("metrics", "survival") for path in (one / name).glob("*.json")]
        inputs.append(given.results / "cases" / "flow.json")
        outputs = {given.out: html, files[1]: top} | {home / "data" / path.name: path for path in sorted(data.iterdir())}
        settings = settings_record(given, blocks)
        write_json(note, manifest("report", inputs=inputs, outputs=outputs, settings=settings, counts={"runs": len(runs)}, beside=files[3]))
    log.info("report: %s", given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
