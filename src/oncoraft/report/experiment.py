"""What the report shows of one experiment: discrimination, calibration, utility and survival."""

from __future__ import annotations

from typing import Any

from oncoraft.report import figures, survival_figures
from oncoraft.report.collect import Run
from oncoraft.report.names import predictor_name
from oncoraft.report.tables import number, p_value, span, table

POOLED = ("calibration_slope", "calibration_in_the_large", "observed_to_expected", "integrated_calibration_index", "brier", "scaled_brier")
MEDIAN_CUT = "groups cut, in each fold, at the median score of the other folds, of the regimen where they hold 50 such cases, else of the cancer type or of all"
FIXED_CUT = "groups cut at a score of 0.5, since one fold has no others to take a median from"


def predictor_rows(run: Run) -> list[dict[str, Any]]:
    """Discrimination, a predictor a row: mean of folds with interval, the model's lead over it, other readings, denominators."""
    rows = []
    for name in dict.fromkeys(row["predictor"] for row in run.metrics):
        mean = run.metric(name, "auroc")
        if mean is not None:
            lead = next((row for row in run.metrics if row["metric"] == "auroc_difference" and row["reference"] == name), None)
            within, pooled, precision = (
                run.metric(name, metric, scope) or {"estimate": None, "lower": None, "upper": None}
                for metric, scope in (("auroc_within_regimen", "mean_of_folds"), ("auroc", "pooled"), ("auprc", "mean_of_folds"))
            )
            rows.append(
                {
                    "predictor": predictor_name(name),
                    "AUROC, mean of folds (95 % interval)": span(mean, "estimate"),
                    "model less this one": span(lead, "estimate") if lead else "–",
                    "within regimen": span(within, "estimate"),
                    "pooled": span(pooled, "estimate"),
                    "AUPRC": number(precision["estimate"]),
                    "cases": mean["n"],
                    "responders": mean["events"],
                }
            )
    return rows


def breakdown_rows(run: Run, scope: str) -> list[dict[str, Any]]:
    """AUROC of every predictor in every fold or cancer type, with the responders among the cases in the heading."""
    rows: dict[str, dict[str, Any]] = {}
    model = {row["group"]: f"{row['events']} of {row['n']}" for row in run.metrics if (row["predictor"], row["scope"]) == ("model", scope)}
    for row in run.metrics:
        if (row["metric"], row["scope"]) == ("auroc", scope) and row["group"] in model:
            one = rows.setdefault(row["predictor"], {"predictor": predictor_name(row["predictor"])})
            heading = (
                f"{row['group']} ({model[row['group']]})" if scope == "cancer_type" else f"fold {row['group']} ({model[row['group']]})"
            )
            one[heading] = span(row, "estimate", digits=2) if row["lower"] is not None else number(row["estimate"])
    columns = list(dict.fromkeys(key for one in rows.values() for key in one))
    return [{column: one.get(column, "–") for column in columns} for one in rows.values()]


def calibration_rows(run: Run) -> list[dict[str, Any]]:
    """Calibration of the scores, recalibrated where there are other folds, a predictor a row."""
    found: dict[str, dict[str, Any]] = {}
    for row in run.metrics:
        if row["scope"] in ("recalibrated", "as_scored"):
            one = found.setdefault(row["predictor"], {"predictor": predictor_name(row["predictor"])})
            one[row["metric"]] = number(row["estimate"])
            one |= {"cases": row["n"], "responders": row["events"]}
    return [
        {"predictor": one["predictor"], **{name: one[name] for name in POOLED}, "cases": one["cases"], "responders": one["responders"]}
        for one in found.values()
    ]


def regimen_rows(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Survival by score group: the adjusted increment, then the raw ratio and test, and the naive analysis beside them."""
    return [
        {
            "regimen": row["regimen_name"],
            "cancer type": row["cancer_type"],
            "cases": row["cases"],
            "high / low": f"{row['n_high']} / {row['n_low']}",
            "events": row["events"],
            "median high / low (months)": f"{number(row['median_months_high'], 1)} / {number(row['median_months_low'], 1)}",
            "adjusted HR low vs high (95 % interval)": span(row, "adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper", 2),
            "gain over covariates, p": p_value(row["likelihood_ratio_p"]),
            "q of the gain": p_value(row["q"]),
            "raw HR": span(row, "hazard_ratio", digits=2),
            "log-rank p": p_value(row["log_rank_p"]),
            "HR without delayed entry": span(row, "naive_hazard_ratio", "naive_lower", "naive_upper", 2),
        }
        for row in records
    ]


def gain_rows(records: list[dict[str, Any]], horizon: int) -> list[dict[str, Any]]:
    """What the score adds to the clinical covariates, restricted means, and the assumptions."""
    rows = []
    for row in records:
        at = next((one for one in row["survival_at"] if one["months"] == horizon), None)
        mean = span(at, "restricted_mean_difference", "restricted_mean_lower", "restricted_mean_upper", 1) if at else "–"
        rows.append(
            {
                "regimen": row["regimen_name"],
                "events": row["events"],
                "adjusted HR per SD lower score": span(
                    row, "adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper", 2
                ),
                "adjusted for": ", ".join(name.replace("_", " ") for name in row["adjusted_for"]) or row["not_adjusted"],
                f"restricted mean to {horizon} months, high less low": mean,
                "proportional hazards, p": p_value(row["proportional_hazards_p"]),
                "entry time, p": p_value(row["entry_time_p"]),
            }
        )
    return rows


def curve_figures(run: Run) -> list[dict[str, str]]:
    """Kaplan–Meier figures with captions."""
    return [
        {
            "name": row["regimen_name"],
            "svg": survival_figures.kaplan_meier(row, run.curves),
            "caption": f"{row['cancer_type']}; raw HR {span(row, 'hazard_ratio', digits=2)}, log-rank p {p_value(row['log_rank_p'])}, "
            f"{row['delayed_entry_cases']} of {row['cases']} with delayed entry"
            + (f"; curves from month {row['curve_from_months']:.1f}, conditional on reaching it" if row["curve_from_months"] else ""),
        }
        for row in run.survival["regimens"]
    ]


def section(run: Run) -> dict[str, Any]:
    """All of one experiment, ready for the template."""
    survival = run.survival
    records = survival["regimens"]
    horizon = min(survival["settings"]["horizons_months"])
    skipped = [{key: row[key] for key in ("regimen_name", "cancer_type", "cases", "events", "reason")} for row in survival["skipped"]]
    return {
        "name": run.name,
        "predictors": figures.predictors(run),
        "roc": figures.roc(run),
        "calibration": figures.calibration(run),
        "decision": figures.decision(run),
        "metric_table": table(predictor_rows(run)),
        "cancer_type_table": table(breakdown_rows(run, "cancer_type"), "AUROC by cancer type (responders of evaluable cases)"),
        "fold_table": table(breakdown_rows(run, "fold"), "AUROC by fold (responders of evaluable cases)"),
        "calibration_table": table(calibration_rows(run)),
        "scores": "scores recalibrated by the other folds" if run.folds > 1 else "scores as they are, since one fold has no others",
        "cut": MEDIAN_CUT if run.folds > 1 else FIXED_CUT,
        "statement": survival["statement"],
        "counts": survival["counts"],
        "forest": survival_figures.forest(records) if records else "",
        "regimen_table": table(regimen_rows(records)),
        "gain_table": table(gain_rows(records, horizon)),
        "curves": curve_figures(run),
        "cancer_survival": table(regimen_rows(survival["cancer_types"])),
        "skipped_table": table(skipped),
    }
