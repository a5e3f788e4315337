"""What the report shows of the labels: categories by definition, how definitions agree, what casts doubt on them, and what hangs on the choice."""

from __future__ import annotations

from typing import Any

from oncoraft.report import figures, whiskers
from oncoraft.report.collect import Run, read_json
from oncoraft.report.discrimination import each
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import COMPLEMENT, Guard
from oncoraft.report.tables import Data, Figure, Rows, count, decimals, interval, part, plain, portion, share, span, tabulate, text

CATEGORIES = ("CR", "PR", "SD", "PD", "NED", "NE")


def label_rows(flow: dict[str, Any], guard: Guard) -> Rows:
    """Categories of every definition; each adds up to all cases."""
    rows = [{"definition": name} | {key: counts.get(key, 0) for key in CATEGORIES} for name, counts in flow["labels"].items()]
    for row in rows:
        row["all"] = sum(row[key] for key in CATEGORIES)
    return guard.rows(rows, [("all", *CATEGORIES)])


def balance_rows(records: Rows, guard: Guard) -> Rows:
    """Labels by drug class."""
    keep = ("drug_class", "cases", *CATEGORIES, "evaluable", "responders")
    rows = [{key: row[key] for key in keep} for row in records]
    sums = [("cases", *CATEGORIES), ("evaluable", "CR", "PR", "SD", "PD"), ("responders", "CR", "PR"), ("cases", "evaluable", "NED", "NE")]
    return guard.rows(rows, sums)


def doubt_rows(records: Rows, guard: Guard) -> Rows:
    """Labels whose sources contradict one another, or between whose scans lies local treatment, by category."""
    keep = ("category", "cases", "contradicted", "local_treatment", "surgery", "radiation", "immortal")
    rows = [{key: row[key] for key in keep} for row in records]
    return guard.rows(rows, [("cases", name) for name in keep[2:]])


def scan_rows(records: Rows, guard: Guard) -> Rows:
    """Imaging in the window, by cancer type; the first row is of all. What is computed of few is marked."""
    parts = ("no_scan", "one_scan", "two_scans", "more_scans")
    whole = next((place for place, row in enumerate(records) if row["cancer_type"] == "all"), None)
    shown = guard.rows(records, [("cases", *parts), ("only_indeterminate",)], total=whole)
    rows = []
    for seen, row in zip(records, shown):
        days = dict(seen["days_to_first"] or dict.fromkeys(("median", "lower_quartile", "upper_quartile")))
        if seen["cases"] - seen["no_scan"] < guard.smallest and guard.smallest > 1:
            days = dict.fromkeys(days, guard.mark)
        few = guard.smallest > 1 and min(seen["indeterminate_reads"], seen["reads"] - seen["indeterminate_reads"]) < guard.smallest
        reads = {"indeterminate_reads": guard.mark if few else seen["indeterminate_reads"], "reads": seen["reads"]}
        keep = {name: row[name] for name in ("cancer_type", "cases", *parts)}
        rows.append(keep | days | reads | {"only_indeterminate": row["only_indeterminate"]})
    return rows


def agreement_rows(records: Rows, definition: str, guard: Guard) -> Rows:
    """How the definition that trains agrees with each other one, on cases evaluable by both; where all agree a kappa says nothing."""
    rows = []
    for row in records:
        if definition in (row["first"], row["second"]):
            other = row["second"] if row["first"] == definition else row["first"]
            differ = row["both_evaluable"] - row["agree"]
            small = guard.smallest > 1 and (min(row["agree"], row["both_evaluable"]) < guard.smallest or 0 < differ < guard.smallest)
            counts = {name: guard.mark if small else row[name] for name in ("agree", "both_evaluable")}
            rows.append({"definition": other, **counts, "kappa": COMPLEMENT if small else row["kappa"] if differ else None})
    return rows


def cross_rows(counts: dict[str, dict[str, int]], guard: Guard) -> Rows:
    """Categories by the strict rule (rows) against those by the published one (columns); both margins stand in the table of categories."""
    columns = [name for name in CATEGORIES if any(name in row for row in counts.values())]
    names = [name for name in CATEGORIES if name in counts]
    rows: Rows = [{"strict, against published": name} | {key: counts[name].get(key, 0) for key in columns} for name in names]
    for row in rows:
        row["all"] = sum(row[key] for key in columns)
    margin = {key: sum(row[key] for row in rows) for key in [*columns, "all"]}
    rows.append({"strict, against published": "all"} | margin)
    return guard.rows(rows, [("all", *columns)], total=len(rows) - 1)


def truth_rows(found: dict[str, Any] | None) -> Rows:
    """Labels against the twin's truth: agreement, and the AUROC that the definition's own noise costs a perfect model."""
    counts = ("definition", "evaluable", "responders", "agreement", "sensitivity", "specificity", "kappa")
    keep = (*counts, "auroc_truth_true_response", "auroc_truth_label", "auroc_lost")
    return [{name: row[name] for name in keep} for row in (found or {}).get("definitions", [])]


TRUTH = [
    text("definition", "definition"),
    count("evaluable", "evaluable"),
    *(decimals(name, name) for name in ("agreement", "sensitivity", "specificity")),
    decimals("kappa", "kappa", 2),
    decimals("AUROC of the oracle on true responses", "auroc_truth_true_response"),
    decimals("on this label", "auroc_truth_label"),
    decimals("lost to label noise", "auroc_lost"),
]
SCANS = [
    text("cancer type", "cancer_type"),
    count("cases", "cases"),
    *(
        portion(name, key, "cases")
        for name, key in (("no scan", "no_scan"), ("one", "one_scan"), ("two", "two_scans"), ("more", "more_scans"))
    ),
    interval("days to the first (quartiles)", "median", "lower_quartile", "upper_quartile", 0),
    part("Indeterminate, of reads", "indeterminate_reads", "reads"),
    count("Indeterminate alone", "only_indeterminate"),
]
AGREEMENT = [
    text("other definition", "definition"),
    part("agree, of evaluable by both", "agree", "both_evaluable"),
    decimals("kappa", "kappa", 2),
]


def published(rule: dict[str, Any], guard: Guard) -> tuple[Data, str]:
    """How many responders by the published rule were never imaged in its window."""
    never, said = rule["responders_never_imaged"], rule["responders"]
    is_small = guard.smallest > 1 and (min(never, said) < guard.smallest or 0 < said - never < guard.smallest)
    row = {"responders_never_imaged": guard.mark if is_small else never, "responders": guard.mark if is_small else said}
    return Data("published-rule", [row]), guard.mark if is_small else share(never, said)


def definitions(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """How far the result hangs on the definition of a label: the tornado."""
    rows = guard.rows(figures.definition_rows(run), [("n",), ("events",), ("patients",)])
    data = Data(f"definitions-{number}", rows)
    whisker = whiskers.whisker_of(reference=0.5, colour=lambda row: "high" if row["trains"] else "grey")
    columns = [
        text("label definition", "label"),
        whiskers.column("AUROC of the model", rows, whisker),
        interval("(95 % interval)", "estimate"),
    ]
    columns += [part("responders, of evaluable", "events", "n")]
    told = [[span(row, "estimate")] for row in rows]
    drawn = whiskers.figure(rows, [row["label"] for row in rows], told, ["AUROC (95 % interval)"], whisker, "AUROC by label definition")
    caption = "AUROC of the model by label definition, furthest from the one that trains (in colour) first"
    return {"tornado": tabulate(data, columns, caption, figure=Figure(drawn, data.name, data=data))}


def section(sources: Sources) -> dict[str, Any]:
    """Labels."""
    flow, guard = sources.flow, sources.guard
    rule, said = published(flow["published_rule"], guard)
    balance = Data("labels-by-drug-class", balance_rows(flow["label_balance"], guard))
    columns = [text("drug class", "drug_class"), count("cases", "cases"), *(count(name, name) for name in CATEGORIES)]
    columns += [portion("evaluable, of cases", "evaluable", "cases"), portion("responders, of evaluable", "responders", "evaluable")]
    agreement = Data("label-agreement", agreement_rows(flow["agreement"], flow["definition"], guard))
    truth = Data("label-truth", truth_rows(read_json(sources.results / "cases" / "label_truth.json")))
    return each(sources, definitions) | {
        "brief": f"definition “{flow['definition']}”",
        "definition": flow["definition"],
        "balance": tabulate(balance, columns, f"Labels by drug class, definition “{flow['definition']}”"),
        "scans": tabulate(Data("scans", scan_rows(flow["scans"], guard)), SCANS, "Imaging in the response window"),
        "labels": plain(Data("labels", label_rows(flow, guard)), "Categories by definition"),
        "doubts": plain(
            Data("label-doubts", doubt_rows(flow["label_flags"], guard)), "Contradictory sources and local treatment, by category"
        ),
        "agreement": tabulate(agreement, AGREEMENT, f"Agreement with “{flow['definition']}”"),
        "cross": plain(
            Data("strict-against-published", cross_rows(flow["strict_against_published"], guard)),
            "The strict rule against the published one",
        ),
        "published": {"said": said, "data": rule},
        "truth": tabulate(truth, TRUTH, "Labels against the truth of the twin"),
    }
