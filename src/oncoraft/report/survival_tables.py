"""Tables of survival: records of regimens as rows, what is nested in them as rows of tables of their own."""

from __future__ import annotations

from typing import Any

from oncoraft.report.names import predictor_name
from oncoraft.report.small_cells import COMPLEMENT, Guard
from oncoraft.report.tables import (
    Column,
    Data,
    Row,
    Rows,
    Table,
    chance,
    count,
    decimals,
    interval,
    is_missing,
    of,
    portion,
    tabulate,
    text,
    words,
)

COUNTS = [
    ("cases", "n_high", "n_low"),
    ("events", "events_high", "events_low"),
    ("cases", "events", "alive"),
    ("n_high", "events_high", "alive_high"),
    ("n_low", "events_low", "alive_low"),
    ("cases", "delayed_entry_cases", "entered_at_once"),
]
NESTED = ("at_risk", "covariates", "comparators", "survival_at", "hazard_ratio_by_period", "adjusted_for", "separated", "bootstrap")
PER_SD = ("adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper")
CUT = ("adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper")
GROUPS = ("high", "low")
FIRST = ("disease_extent", "clinical_logistic")  # of the comparators: what is known without any model, and a clinician's regression
NAMES = ("regimen_name", "cancer_type")
WHO = [text("regimen", "regimen_name"), text("cancer type", "cancer_type")]


def guarded(records: Rows, guard: Guard) -> Rows:
    """Records of regimens with small counts marked; what is computed from them is hidden with them."""
    if guard.smallest <= 1:
        return records
    rest = [
        row
        | {f"alive{one}": row[f"n{one}" if one else "cases"] - row[f"events{one}"] for one in ("", "_high", "_low")}
        | {"entered_at_once": row["cases"] - row["delayed_entry_cases"]}
        for row in records
    ]
    shown = guard.rows(rest, COUNTS, of={"censored_share": "alive", "patients": "cases"})
    for row in shown:
        row["patients"] = row["patients"] if isinstance(row["patients"], str) else guard.count(row["patients"])
        for name in ("alive", "alive_high", "alive_low", "entered_at_once"):
            row.pop(name)
    return shown


def plain_fields(records: Rows, guard: Guard) -> Rows:
    """Every field of the records that is no list."""
    return [{name: value for name, value in row.items() if name not in NESTED} for row in guarded(records, guard)]


def ratio(row: Row, stem: str) -> dict[str, Any]:
    """A hazard ratio with its interval; `stem` is what stands before `hazard_ratio`."""
    return {f"{stem}{name}": row[f"{stem}{name}"] for name in ("hazard_ratio", "lower", "upper")}


def ratios(title: str, stem: str) -> Column:
    """A column of `ratio`."""
    return interval(title, f"{stem}hazard_ratio", f"{stem}lower", f"{stem}upper", 2)


def medians(row: Row) -> dict[str, Any]:
    """Median survival of both groups, as far as their curves are drawn; missing: not reached there."""
    told: dict[str, Any] = {}
    for group in GROUPS:
        value, end = row[f"median_months_{group}"], row[f"curve_to_months_{group}"]
        is_reached = value is not None and end is not None and value <= end
        for ending in ("", "_lower", "_upper"):
            told[f"median_months_{group}{ending}"] = row[f"median_months_{group}{ending}"] if is_reached else None
    return told


def groups(records: Rows, guard: Guard, name: str, caption: str) -> Table:
    """Both score groups without adjustment: deaths, medians, raw ratio and test."""
    counts = ("cases", "events", "n_high", "n_low", "events_high", "events_low")
    rows = [
        {key: row[key] for key in (*NAMES, *counts, "log_rank_p")} | medians(seen) | ratio(row, "")
        for seen, row in zip(records, guarded(records, guard))
    ]
    columns = [
        *WHO,
        *(portion(f"died, {one}", f"events_{one}", f"n_{one}") for one in GROUPS),
        *(count(f"of {one}", f"n_{one}") for one in GROUPS),
    ]
    columns += [
        interval(f"median, {one} (months)", f"median_months_{one}", f"median_months_{one}_lower", f"median_months_{one}_upper", 1)
        for one in GROUPS
    ]
    columns += [ratios("raw HR, low vs high", ""), chance("log-rank p", "log_rank_p")]
    return tabulate(Data(name, rows), columns, caption)


def readings(records: Rows, guard: Guard, name: str, caption: str) -> Table:
    """Both adjusted ratios, then the raw one, the naive analysis and the published way beside them."""
    stems = ("adjusted_", "adjusted_per_sd_", "", "naive_", "published_")
    rows = []
    for row in guarded(records, guard):
        told = {key: row[key] for key in (*NAMES, "cases", "events", "likelihood_ratio_p", "q")}
        for stem in stems:
            told |= ratio(row, stem)
        rows.append(told | {"why": row["not_adjusted"] or (None if row["adjusted_hazard_ratio"] else row["no_ratio"])})
    columns = [*WHO, of("events / cases", "events", "cases"), ratios("adjusted", "adjusted_")]
    columns += [ratios("adjusted, per SD lower", "adjusted_per_sd_")]
    columns += [ratios("raw", ""), ratios("without delayed entry", "naive_"), ratios("published way, high vs low", "published_")]
    columns += [text("why none", "why", lambda why: "" if is_missing(why) else str(why))] if any(row["why"] for row in rows) else []
    return tabulate(Data(name, rows), columns, caption)


def comparators(records: Rows, guard: Guard, number: int) -> list[Table]:
    """Raw hazard ratios of the model, of disease extent and of the baselines' scores on the same cases, and the model's within strata of
    disease extent; as many tables as the comparators take.
    """
    names = list(dict.fromkeys(one["predictor"] for row in records for one in row["comparators"]))
    names.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    rows: Rows = []
    for row in guarded(records, guard):
        told = {key: row[key] for key in (*NAMES, "cases", "events")} | ratio(row, "") | ratio(row, "within_extent_")
        for one in row["comparators"]:
            told |= {f"{one['predictor']}_{key}": one[key] for key in ("hazard_ratio", "lower", "upper")}
        rows.append(told | {key: row[key] for key in ("concordance_clinical", "concordance_with_score")})
    blank = dict.fromkeys(key for row in rows for key in row)
    data = Data(f"comparators-{number}", [blank | row for row in rows])
    first = [*WHO, of("events / cases", "events", "cases"), ratios("model", ""), ratios("model within extent", "within_extent_")]
    first += [ratios(predictor_name(name), f"{name}_") for name in names[:2]]
    first += [decimals("concordance", "concordance_clinical"), decimals("with score", "concordance_with_score")]
    caption = "Raw hazard ratios, low against high, on the same cases; the model's also within strata of disease extent; concordance of the covariates, without and with the score"
    tables = [tabulate(data, first, caption)]
    for start in range(2, len(names), 5):
        more = [*WHO, *(ratios(predictor_name(name), f"{name}_") for name in names[start : start + 5])]
        tables.append(tabulate(data, more, "The same of further baselines"))
    return tables


def at_risk_rows(records: Rows, guard: Guard) -> Rows:
    """Numbers at risk, a regimen, group and month a row."""
    return [
        {key: row[key] for key in NAMES} | {"score_group": group, "months": month, "at_risk": guard.count(at_risk)}
        for row in records
        for group in GROUPS
        for month, at_risk in zip(row["at_risk"]["months"], row["at_risk"][group])
    ]


def horizons(records: Rows, guard: Guard, number: int) -> Table:
    """Survival at the horizons, the difference, and restricted means; of few at risk nothing is told."""
    rows: Rows = []
    for row in records:
        for at in row["survival_at"]:
            few = any(isinstance(guard.count(at[f"{group}_at_risk"]), str) for group in GROUPS)
            told = {key: (COMPLEMENT if few and value is not None and key != "months" else value) for key, value in at.items()}
            rows.append({key: row[key] for key in NAMES} | told)
    columns = [*WHO, count("months", "months")]
    for one in GROUPS:
        columns += [interval(f"survival, {one}", one, f"{one}_lower", f"{one}_upper", 2), count("at risk", f"{one}_at_risk")]
    columns += [interval("high less low", "difference", "difference_lower", "difference_upper", 2)]
    columns += [
        interval(
            "restricted mean, high less low (months)", "restricted_mean_difference", "restricted_mean_lower", "restricted_mean_upper", 1
        )
    ]
    return tabulate(Data(f"survival-at-{number}", rows), columns, "Survival of both groups at the horizons")


def periods(records: Rows, guard: Guard, number: int) -> Table:
    """Hazard ratios of periods, where hazards are not proportional; a period of few events is not told."""
    rows: Rows = []
    for row in records:
        for one in row["hazard_ratio_by_period"]:
            few = isinstance(guard.count(one["events"]), str)
            told = {key: COMPLEMENT if few else one[key] for key in ("hazard_ratio", "lower", "upper")}
            rows.append(
                {key: row[key] for key in NAMES}
                | {key: one[key] for key in ("from_months", "to_months")}
                | {"events": guard.count(one["events"]), **told}
            )
    columns = [
        *WHO,
        decimals("from month", "from_months", 0),
        decimals("to month", "to_months", 0),
        count("events", "events"),
        ratios("raw HR", ""),
    ]
    return tabulate(Data(f"periods-{number}", rows), columns, "Where hazards are not proportional: raw hazard ratio by period")


def assumptions(records: Rows, guard: Guard, number: int) -> Table:
    """Proportional hazards and independent entry, with what follows where they fail."""
    keep = (
        "cases",
        "proportional_hazards_p",
        "delayed_entry_cases",
        "entry_time_p",
        "entry_time_note",
        "median_follow_up_months",
        "censored_share",
    )
    rows: Rows = []
    for seen, row in zip(records, guarded(records, guard)):
        few = guard.smallest > 1 and 0 < seen["restricted_cases"] < guard.smallest
        told = {key: row[key] for key in (*NAMES, *keep)} | ratio(row, "entry_adjusted_")
        told |= {key: COMPLEMENT if few else value for key, value in ratio(row, "restricted_").items()}
        rows.append(told | {"columns": len(row["adjusted_for"])})
    columns = [*WHO, chance("PH, p", "proportional_hazards_p"), portion("delayed entry", "delayed_entry_cases", "cases")]
    columns += [chance("entry time, p", "entry_time_p")]
    columns += [text("dependent entry", "entry_time_note", lambda note: "" if is_missing(note) else str(note))] if any(
        row["entry_time_note"] for row in rows
    ) else []  # fmt: skip
    columns += [ratios("HR beside entry", "entry_adjusted_"), ratios("HR, index after sequencing", "restricted_")]
    columns += [decimals("follow-up (months)", "median_follow_up_months", 1), Column("censored", _percent, "censored_share")]
    columns += [count("columns", "columns")]
    caption = (
        "What the ratios assume: proportional hazards (PH), entry independent of death; raw hazard ratios where entry is adjusted for or not "
        "delayed; median follow-up by reverse Kaplan–Meier; columns that the adjusted model holds"
    )
    return tabulate(Data(f"assumptions-{number}", rows), columns, caption)


def _percent(row: Row) -> str:
    return (
        words(row["censored_share"])
        if isinstance(row["censored_share"], str) or row["censored_share"] is None
        else f"{row['censored_share']:.0%}"
    )


def covariates(records: Rows, guard: Guard, number: int) -> Data | None:
    """How each intended covariate entered each model, a row each; counts of people are within, so not where small cells are hidden."""
    if guard.smallest > 1:
        return None
    keep = ("covariate", "state", "n", "unknown")
    rows = [{key: row[key] for key in NAMES} | {key: one[key] for key in keep} for row in records for one in row.get("covariates", [])]
    return Data(f"covariates-{number}", rows)


def adjusted_for(records: Rows, number: int) -> Data:
    """The columns of each adjusted model, a row each."""
    rows = [{key: row[key] for key in NAMES} | {"column": name} for row in records for name in row["adjusted_for"]]
    return Data(f"adjusted-for-{number}", rows)
