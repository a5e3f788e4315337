"""Text tasks: what base and tuned model answered on the same held-out cases, beside the baselines, with paired tests and classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report.collect import read_json
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Rows, Table, chance, count, decimals, interval, records, tabulate, text

NAMES = {
    "base": "base model",
    "tuned": "tuned model",
    "base_choice": "base model, choosing",
    "tuned_choice": "tuned model, choosing",
    "tuned_head": "tuned model, head over choices",
    "majority": "most frequent answer",
    "by_site": "most frequent answer by site",
    "tfidf": "logistic regression on words",
    "neighbour": "nearest neighbour by words",
    "oracle": "law of the twin",
}
MEANS = ("precision_micro", "recall_micro", "f1_micro", "precision_macro", "recall_macro", "f1_macro")
SHOWN_CLASSES = 20  # the largest; all stand in the file
MEASURES = [
    text("answers of", "answerer", lambda name: NAMES.get(str(name), str(name))),
    text("measure", "measure"),
    interval("mean (95 % interval)", "estimate"),
    count("cases", "n"),
    count("patients", "patients"),
    count("not read", "unread"),
]
TESTS = [
    text("tuned model against", "second", lambda name: NAMES.get(str(name), str(name))),
    text("measure", "measure"),
    interval("difference (95 % interval)", "difference"),
    text("test", "test"),
    text("method", "method"),
    count("patients", "patients"),
    count("better", "positive"),
    count("worse", "negative"),
    count("equal", "zeros"),
    decimals("rank sum", "statistic", 1),
    chance("one-sided p", "p"),
]
SHARE = "share of the law"
OVERVIEW = [
    text("task", "title"),
    text("own measure", "measure"),
    count("cases", "n"),
    decimals("base model", "base"),
    interval("tuned model (95 % interval)", "tuned"),
    chance("one-sided p, tuned better than base", "p"),
    decimals("tuned, choosing", "tuned_choice"),
    decimals("tuned, head", "tuned_head"),
    decimals("most frequent", "majority"),
    decimals("by site", "by_site"),
    decimals("logistic on words", "tfidf"),
    decimals("law of the twin", "oracle"),
    interval("share of the law (95 % interval)", "share", "share_lower", "share_upper"),
]
CLASSES = [
    text("class", "class"),
    text("answers of", "answerer", lambda name: NAMES.get(str(name), str(name))),
    decimals("precision", "precision"),
    decimals("recall", "recall"),
    decimals("F1", "f1"),
    count("cases", "support"),
    count("answered so", "answered"),
]


def measures(sources: Sources, given: Rows) -> Rows:
    """Records of measures; where few answers were not read, the share that was read would tell how many."""
    rows = []
    for row in given:
        shown = row | {name: sources.guard.count(int(row[name])) for name in ("n", "patients", "unread")}
        is_hidden = row["measure"] == "read" and shown["unread"] != row["unread"]
        rows.append(shown | (dict.fromkeys(("estimate", "lower", "upper")) if is_hidden else {}))
    return [row for row in rows if row["measure"] not in MEANS or row["answerer"] in {"base", "tuned"}]


def tests(sources: Sources, given: Rows) -> Rows:
    """Records of tests; better, worse and equal add up to the patients, so that they are hidden together."""
    rows = []
    for row in given:
        parts = {name: sources.guard.count(int(row[name])) for name in ("positive", "negative", "zeros")}
        if any(parts[name] != int(row[name]) for name in parts):
            parts = dict.fromkeys([*parts, "statistic"], sources.guard.mark)
        rows.append(row | {"patients": sources.guard.count(int(row["patients"]))} | parts)
    return rows


def overview(sources: Sources, folder: Path) -> dict[str, Any]:
    """One row of a task and a model: each answerer on the task's own measure, and of a twin the law and what share of it the tuned model reached."""
    told = read_json(folder / "metrics.json")
    by = {(row["answerer"], row["measure"]): row for row in told["records"]}
    own = {name: by.get((name, told["headline"]), {}) for name in NAMES}
    share, tuned = by.get(("tuned", SHARE), {}), own["tuned"]
    paired = pd.read_csv(folder / "tests.csv")
    against = paired[(paired["second"] == "base") & (paired["measure"] == told["headline"])]
    row = {name: found.get("estimate") for name, found in own.items()}
    row |= {"lower": tuned["lower"], "upper": tuned["upper"], "n": sources.guard.count(int(tuned["n"]))}
    row |= {"share": share.get("estimate"), "share_lower": share.get("lower"), "share_upper": share.get("upper")}
    title = f"{told['title']} · {folder.parents[2].name}"
    return {"title": title, "measure": told["headline"], "p": float(against["p"].iloc[0]) if len(against) else None} | row


def of_model(sources: Sources, folder: Path) -> dict[str, Any]:
    """One task as one model answered it."""
    told = read_json(folder / "metrics.json")
    stem = f"task-{folder.parent.name}-{folder.parents[2].name}"
    shown, paired = measures(sources, told["records"]), tests(sources, records(pd.read_csv(folder / "tests.csv")))
    return {
        "title": f"{told['title']} · {folder.parents[2].name}",
        "anchor": stem,
        "note": told["note"],
        "headline": told["headline"],
        "measures": tabulate(Data(f"{stem}-measures", shown), MEASURES, f"{told['title']}: what the answers are worth"),
        "tests": tabulate(
            Data(f"{stem}-tests", paired), TESTS, f"{told['title']}: the tuned model against each other, on means over patients"
        ),
        "classes": _classes(sources, folder, stem, told["title"]),
    }


def _classes(sources: Sources, folder: Path, stem: str, title: str) -> Table | None:
    """Precision, recall and F1 of the largest classes, nothing of a class whose count is hidden; None where the task has none."""
    frame = pd.read_csv(folder / "classes.csv", dtype={"class": str}, keep_default_na=False)
    kept = frame[frame["answerer"].isin(["base", "tuned"])]
    if kept.empty:
        return None
    order = kept[kept["answerer"] == "tuned"].sort_values(["support", "class"], ascending=[False, True])["class"].head(SHOWN_CLASSES)
    shown = [row for name in order for row in records(kept[kept["class"] == name])]
    # The classes of an answerer add up to its cases, which stand in another table.
    guarded = sources.guard.rows([row | {"predictor": row["answerer"]} for row in shown], [("support",), ("answered",)])
    rows = []
    for row in guarded:
        is_hidden = isinstance(row["support"], str) or isinstance(row["answered"], str)
        hidden = dict.fromkeys(("precision", "recall", "f1")) if is_hidden else {}
        rows.append({name: value for name, value in row.items() if name != "predictor"} | hidden)
    return tabulate(Data(f"{stem}-classes", rows), CLASSES, f"{title}: the {len(order)} largest of {kept['class'].nunique()} classes")


def section(sources: Sources) -> dict[str, Any] | None:
    """Text tasks; nothing where none was asked."""
    folders = sorted(path.parent for path in sources.results.glob("*/tasks/*/scores/metrics.json"))
    if not folders:
        return None
    tasks = [of_model(sources, folder) for folder in folders]
    rows = [overview(sources, folder) for folder in folders]
    told = tabulate(Data("tasks-overview", rows), OVERVIEW, "What each task's answers are worth on its own measure")
    return {"brief": f"{len(tasks)} answered by base and tuned model on the same held-out cases", "tasks": tasks, "overview": told}
