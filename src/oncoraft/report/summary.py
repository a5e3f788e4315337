"""The first screen: what was done on what, the lead over the baselines, one conclusion computed from numbers, and every check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oncoraft.report import checks, discrimination, survival
from oncoraft.report.collect import Run
from oncoraft.report.headline import LEADS
from oncoraft.report.names import PREDICTORS, predictor_name
from oncoraft.report.sections import Section, Sources
from oncoraft.report.tables import Data, Rows, count, interval, tabulate, text, words


def headline(runs: Sequence[Run]) -> dict[str, Any]:
    """The headline of every run: AUROC beside the baselines, what the score adds to the covariates, regimen by regimen."""
    result = []
    for one in runs:
        rows = [row for row in one.metrics if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds") and row["estimate"] is not None]
        order = list(PREDICTORS)
        rows.sort(key=lambda row: order.index(row["predictor"]) if row["predictor"] in order else len(order))
        by_name = {row["predictor"]: row for row in rows}
        lift = None
        if {"oracle", "model"} <= set(by_name) and by_name["oracle"]["estimate"] != 0.5:
            lift = (by_name["model"]["estimate"] - 0.5) / (by_name["oracle"]["estimate"] - 0.5)
        keep = ["regimen_name", "cancer_type", "cases", "events", "adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper"]
        keep += ["adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper"]
        keep += ["likelihood_ratio_p", "q", "hazard_ratio", "lower", "upper", "log_rank_p"]
        regimens = [{key: row[key] for key in keep} for row in one.survival["regimens"]]
        counts = one.survival["counts"] | {"significant": survival.added(one)}
        told = {"run": one.name, "auroc": rows, "share_of_oracle_lift": lift, "verdict": one.verdict.get("sentence"), "leads": leads(one)}
        result.append(told | {"counts": counts, "pooled": one.survival["summary"]["adjusted"], "regimens": regimens})
    return {"runs": result}


def leads(run: Run) -> Rows:
    """The model's lead over the clinical regression and over the best baseline, over all cases and within regimen."""
    wanted = dict.fromkeys(["clinical_logistic", run.verdict.get("best_baseline")])
    keep = ("reference", "metric", "estimate", "lower", "upper", "n", "events")
    return [
        {key: row[key] for key in keep}
        for name in wanted
        for row in run.metrics
        if name == row["reference"] and name and row["metric"] in LEADS and row["lower"] is not None
    ]


def headline_rows(summary: dict[str, Any]) -> Rows:
    """The headline table: a model's own rows for each run, the runs by AUROC, then what they are held against, once for each design."""
    own: list[tuple[str, dict[str, Any]]] = []
    beside: dict[tuple[Any, ...], tuple[str, dict[str, Any]]] = {}
    for one in sorted((one for one in summary["runs"] if one["auroc"]), key=lambda one: -one["auroc"][0]["estimate"]):
        design = one["run"].rsplit(" · ", 1)[-1]
        for row in one["auroc"]:
            if row["predictor"].startswith("model"):
                own.append((one["run"], row))
            else:
                beside.setdefault((design, row["predictor"], row["estimate"], row["n"]), (f"any model · {design}", row))
    alone = len(summary["runs"]) == 1
    keep = ("predictor", "estimate", "lower", "upper", "n", "events", "patients")
    return [
        {"run": summary["runs"][0]["run"] if alone else run} | {name: row[name] for name in keep} for run, row in [*own, *beside.values()]
    ]


HEADLINE = [
    text("run", "run"),
    text("predictor", "predictor", predictor_name),
    interval("AUROC (95 % interval)", "estimate"),
    count("responders", "events"),
    count("cases", "n"),
    count("patients", "patients"),
]


def facts(sources: Sources) -> Rows:
    """What the first screen tells in sentences, a number a row."""
    flow, guard = sources.flow, sources.guard
    first = flow["steps"][0]
    last = next((step for step in reversed(flow["steps"]) if step["cases"] is not None and not step["name"].startswith("evaluable")), first)
    evaluable, cases = (sum(row[name] for row in flow["label_balance"]) for name in ("evaluable", "cases"))
    rows: Rows = [
        {"what": "patients in the study", "value": guard.count(first["patients"])},
        {"what": "treatment cases analysed", "value": guard.count(last["cases"] or 0)},
        {"what": "cases not evaluable for response", "value": guard.count(cases - evaluable)},
        {"what": "cases with a label", "value": guard.count(cases)},
    ]
    for run in sources.runs:
        mean = run.metric("model", "auroc")
        rows += [
            {"what": f"{run.name}: responders", "value": mean["events"] if mean else None},
            {"what": f"{run.name}: evaluable held-out cases", "value": mean["n"] if mean else None},
            {"what": f"{run.name}: held-out folds", "value": run.folds},
            {"what": f"{run.name}: regimens where the score adds to the covariates", "value": survival.added(run)},
            {"what": f"{run.name}: regimens tested", "value": run.survival["counts"]["tested"]},
        ]
    return rows


def done(told: Rows, runs: Sequence[Run]) -> str:
    """What was done on what, in a few sentences."""
    value = {row["what"]: words(row["value"]) for row in told}
    said = [
        f"{value['patients in the study']} patients in the study, {value['treatment cases analysed']} treatment cases analysed; of "
        f"{value['cases with a label']} labelled cases {value['cases not evaluable for response']} were not evaluable for response."
    ]
    for run in runs:
        mean = run.metric("model", "auroc")
        found = (
            f"{words(mean['events'])} responders among {words(mean['n'])} evaluable held-out cases"
            if mean
            else "no evaluable held-out case"
        )
        said.append(f"{run.name}: {found}, {run.folds or 'no'} held-out {'fold' if run.folds == 1 else 'folds'}.")
    return " ".join(said)


def conclusion(run: Run) -> str:
    """What the numbers of an experiment say."""
    spoken = run.verdict.get("sentence") or "Whether the model beats the baselines could not be estimated."
    for name in sorted(PREDICTORS, key=len, reverse=True):
        spoken = spoken.replace(f"({name})", f"({PREDICTORS[name]})")
    return f"{spoken} Survival: {survival.added_sentence(run)}."


def verdict_data(runs: Sequence[Run]) -> Data:
    """The verdicts as rows: experiment, difference, estimate with interval, answer."""
    rows = [
        {"run": run.name, "against": run.verdict.get("best_baseline"), "difference": name} | dict(told)
        for run in runs
        for name, told in (run.verdict.get("beats") or {}).items()
    ]
    return Data("verdict", rows)


def section(sources: Sources) -> dict[str, Any]:
    """The first screen."""
    told = facts(sources)
    judged = checks.checks(sources)
    heading = Data("headline", headline_rows(headline(sources.runs)))
    return {
        "facts": Data("facts", told),
        "done": done(told, sources.runs),
        "verdicts": verdict_data(sources.runs),
        "runs": [
            {"name": run.name, "number": place, "conclusion": conclusion(run), "leads": discrimination.leads(run, place)}
            for place, run in enumerate(sources.runs, 1)
        ],
        "headline": tabulate(heading, HEADLINE[len(sources.runs) == 1 :], "AUROC of every predictor, mean of folds"),
        "checks": judged,
        "check_data": Data("checks", [{key: value for key, value in row.items() if key != "link"} for row in judged]),
        "numbers": Data("check-numbers", checks.numbers(sources)),
    }


SECTION = Section("summary", "Summary", "", "summary.jinja", section)
