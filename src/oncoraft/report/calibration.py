"""What the report shows of one experiment's calibration and utility: whether scores may be read as probabilities, and what acting on them brings."""

from __future__ import annotations

from typing import Any

from oncoraft.report import figures
from oncoraft.report.collect import Run
from oncoraft.report.discrimination import brief, each, spans, spread
from oncoraft.report.names import predictor_name
from oncoraft.report.risk_bins import coarsened
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Data, Rows, Table, of, records, tabulate, text

SCALES = {"as_delivered": "as delivered", "as_scored": "as delivered", "recalibrated": "recalibrated"}
MEASURES = {
    "calibration_slope": "slope",
    "calibration_in_the_large": "in the large",
    "observed_to_expected": "observed : expected",
    "integrated_calibration_index": "ICI",
    "scaled_brier": "scaled Brier",
}


def calibration_rows(run: Run) -> Rows:
    """Calibration of the scores as delivered and, where there are other folds, recalibrated by them; a predictor and scale a row."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in run.metrics:
        if row["scope"] in SCALES and row["metric"] in MEASURES:
            scale = SCALES[row["scope"]]
            blank = {"predictor": row["predictor"], "scores": scale} | {key: None for name in MEASURES for key in spread(name, None)}
            found.setdefault((row["predictor"], scale), blank).update(
                spread(row["metric"], row) | {"cases": row["n"], "responders": row["events"]}
            )
    return list(found.values())


def calibration_table(run: Run, number: int) -> Table:
    """Calibration, the model first."""
    rows = sorted(calibration_rows(run), key=lambda row: (not row["predictor"].startswith("model"), row["predictor"], row["scores"]))
    columns = [text("scores", "scores"), *(spans(title, name, 2) for name, title in MEASURES.items())]
    columns += [of("responders / cases", "responders", "cases")]
    named = [{"name": predictor_name(row["predictor"])} | row for row in rows]
    caption = (
        "Calibration with 95 % intervals; right are a slope of 1, 0 in the large, 1 observed to expected; ICI: integrated calibration index"
    )
    return tabulate(Data(f"calibration-measures-{number}", named), columns, caption, group="name")


def bins(run: Run, guard: Guard) -> Rows:
    """Tenths of the cases by recalibrated score, observed share beside, small counts marked."""
    if run.calibration.empty:
        return []
    others = run.calibration.assign(others=run.calibration["n"] - run.calibration["responders"])
    shown = guard.frame(others, [("n", "responders", "others")], of={"observed": "responders"})
    return records(shown.drop(columns="others"))


def measured(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """Calibration of an experiment; figures of single bins only where every bin may be shown."""
    scaled = any(row["scope"] == "recalibrated" for row in run.metrics)
    tenths = Data(f"calibration-{number}", bins(run, guard))
    may_draw = all(not isinstance(row[name], str) for row in tenths.rows for name in ("n", "responders", "observed"))
    distribution = Data(f"distribution-{number}", coarsened(run.distribution, guard.smallest))
    return {
        "recalibrated": figures.calibration(tenths, scaled) if may_draw else None,
        "bins": tenths,
        "delivered": figures.delivered(tenths if may_draw else Data("", []), distribution, number) if scaled else None,
        "distribution": figures.distribution(distribution, number),
        "calibration_table": calibration_table(run, number),
        "wrong_way": wrong_way(run),
    }


def wrong_way(run: Run) -> str:
    """What is said of the folds whose scores recalibration would have turned round."""
    row = run.metric("model", "brier", "recalibrated")
    flags = row.get("flags") if row else None
    return flags if isinstance(flags, str) else ""


def section(sources: Sources) -> dict[str, Any]:
    """Calibration."""
    scopes = {row["scope"] for row in sources.runs[0].metrics}
    scope = "as_delivered" if "as_delivered" in scopes else "as_scored"
    return each(sources, measured) | {"brief": brief(sources.runs, "calibration_slope", "slope of the score as delivered", scope, 2)}


def of_decisions(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """What acting on a score would bring."""
    return {"decision": figures.decision(run, Data(f"decision-{number}", records(run.decision)), number)}


def utility(sources: Sources) -> dict[str, Any]:
    """Decision curves."""
    return each(sources, of_decisions)
