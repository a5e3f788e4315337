"""Facts about treatment: the drugs about to start, earlier lines and what imaging said of them, agents, radiation, surgery.

Nothing is taken from when an earlier treatment ended: a stop day may lie beyond the index date.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.evidence.disease import decided
from oncoraft.evidence.known import Tables, closest, facts, in_one, known_records
from oncoraft.knowledge.drugs import drugs, treats

RESPONSE_LAG_DAYS = 14  # imaging of the first two weeks tells of the time before the line (as for the labels)
OUTSIDE = {"Prior medications to MSK": ("yes", "treated elsewhere before"), "No prior medications": ("no", "not treated elsewhere before")}
REGIMENS = "regimens"  # the case list as a table: when each earlier line began


def regimens_table(cases: pd.DataFrame) -> pd.DataFrame:
    """The case list as a dated table: patient, first day, agents within the combination window, line."""
    columns = {"patient_id": "patient_id", "index_day": "start_day", "agents": "agents", "line_of_therapy": "line_of_therapy"}
    return cases[list(columns)].rename(columns=columns)


def planned(cases: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The drugs about to start with their class and mechanism, the cancer type, the line of therapy."""
    knowledge = drugs()
    exploded = cases[["case", "agents_at_index"]].explode("agents_at_index").dropna().reset_index(drop=True)
    agent = exploded["agents_at_index"]
    classes = agent.map({name: f" ({drug.drug_class})" for name, drug in knowledge.items() if drug.drug_class}).fillna("")
    mechanism = agent.map({name: drug.mechanism for name, drug in knowledge.items() if drug.mechanism})
    return {
        "drug": facts(exploded, agent.str.lower() + classes),
        "drug_mechanism": facts(exploded, mechanism, name=agent.str.lower()),
        "cancer_type": facts(cases, cases["cancer_type"].str.lower()),
        "line": facts(cases, cases["line_of_therapy"]),
    }


def received(cases: pd.DataFrame, tables: Tables, count: int) -> dict[str, pd.DataFrame]:
    """Agents received before, treatment elsewhere, radiation and surgery so far."""
    supportive = [name for name, drug in drugs().items() if drug.supportive]
    rows = tables["timeline_treatment"]
    agents = known_records(cases, rows[~rows["agent"].isin(supportive)], "prior_agents", ties="agent").drop_duplicates(["case", "agent"])
    cancers = cases.set_index("case")["cancer_type"].reindex(agents["case"])
    agents = agents[np.array([treats(agent, frozenset({str(cancer)})) for agent, cancer in zip(agents["agent"], cancers)], dtype=bool)]
    agents = closest(agents, 2 * count)
    outside = closest(known_records(cases, tables["timeline_prior_meds"], "outside_treatment", ties="prior_med_to_msk"))
    words = outside["prior_med_to_msk"].map({word: value for word, (value, _) in OUTSIDE.items()})
    surgery = tables["timeline_surgery"]
    surgery = surgery[surgery["subtype"].fillna("") != "SAMPLE"]
    return {
        "prior_agents": facts(agents, agents["agent"].str.lower()),
        "outside_treatment": facts(
            outside, words, reading=outside["prior_med_to_msk"].map({word: text for word, (_, text) in OUTSIDE.items()})
        ),
        "radiation": _occasions(cases, tables["timeline_radiation"], "radiation", count, ("once", " times")),
        "surgery": _occasions(cases, surgery, "surgery", count, ("one day", " days")),
    }


def _occasions(cases: pd.DataFrame, rows: pd.DataFrame, field: str, count: int, words: tuple[str, str]) -> pd.DataFrame:
    """On how many days, and how long ago the last few of them were: `twice (40, 200 days before treatment)`."""
    records = known_records(cases, rows[["person", "start_day"]], field).drop_duplicates(["case", "days_before_index"])
    total = records.groupby("case").size()
    shown = closest(records, count)
    days = in_one(shown["case"], shown["days_before_index"].astype("int64").astype(str), ", ").reindex(total.index)
    last = records.groupby("case")["days_before_index"].min()
    frame = pd.DataFrame({"case": total.index, "days_before_index": last.to_numpy()}, index=total.index)
    number = (total.astype(str) + words[1]).mask(total == 1, words[0])
    when = (days + " days before treatment").mask(days == "1", "1 day before treatment")
    return facts(frame, total, number=number, when=("the last " + str(count) + ": " + when).where(total > count, when))


def prior_regimens(cases: pd.DataFrame, tables: Tables, count: int) -> pd.DataFrame:
    """The last few lines before: their agents started before the index date, and the imaging verdicts while they lasted.

    A line lasts from its 15th day to the next line or the index date. Progression wins over no cancer seen, that over no
    progression; a line without informative imaging says so.
    """
    lines = known_records(cases, tables[REGIMENS], "prior_regimen", ties="line_of_therapy")
    after = lines.groupby("case", sort=False)["start_day"].shift(1)  # sorted closest first: the row above began later
    lines = closest(lines.assign(until=after.fillna(lines["index_day"])), count).reset_index(drop=True)
    lines["number"] = np.arange(len(lines), dtype=np.int32)
    known = _agents_begun(lines, tables["timeline_treatment"])
    verdict = _verdicts(lines, tables)
    names = lines["number"].map(known)
    days = verdict["first_progression"]
    reading = np.select(
        [days.notna(), verdict["cleared"], verdict["quiet"]],
        ["progression on imaging on day " + days.astype("Int64").astype(str), "no cancer seen on imaging", "no progression on imaging"],
        "no informative imaging",
    )
    short = np.select(
        [days.notna(), verdict["cleared"], verdict["quiet"]], ["progression", "no cancer seen", "no progression"], "no informative imaging"
    )
    value = "line " + lines["line_of_therapy"].astype(str) + ": " + pd.Series(short, index=lines.index)
    return facts(
        lines,
        value.where(names.notna()),
        number_of_line=lines["line_of_therapy"],
        name=names,
        reading=pd.Series(reading, index=lines.index),
    ).rename(columns={"number_of_line": "number"})


def _agents_begun(lines: pd.DataFrame, treatment: pd.DataFrame) -> pd.Series:
    """Line number -> names of its agents that were begun from its first day up to the day before the index date."""
    agents = lines[["number", "person", "start_day", "index_day", "agents"]].explode("agents").rename(columns={"agents": "agent"})
    begun = agents.merge(treatment[["person", "agent", "start_day"]], on=["person", "agent"], suffixes=("", "_agent"))
    begun = begun[(begun["start_day_agent"] >= begun["start_day"]) & (begun["start_day_agent"] < begun["index_day"])]
    begun = begun.drop_duplicates(["number", "agent"]).sort_values(["number", "agent"], kind="stable")
    return in_one(begun["number"], begun["agent"].str.lower(), " + ")


def _verdicts(lines: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """By line: day of its first progression (null), whether cancer was once not seen, whether any imaging was decided."""
    found = pd.DataFrame(index=lines.index)
    for name, column in (("timeline_progression", "progression"), ("timeline_cancer_presence", "has_cancer")):
        reports = decided(tables[name], column)[["person", "start_day", "is_yes"]].rename(columns={"start_day": "report_day"})
        joined = lines[["number", "person", "start_day", "until"]].merge(reports, on="person")
        day = joined["report_day"] - joined["start_day"]
        joined = joined.assign(day=day)[(day > RESPONSE_LAG_DAYS) & (joined["report_day"] < joined["until"])]
        by_line = joined.groupby("number")
        if column == "progression":
            found["first_progression"] = joined[joined["is_yes"]].groupby("number")["day"].min().reindex(lines["number"]).to_numpy()
            found["quiet"] = lines["number"].isin(joined["number"]).to_numpy()
        else:
            found["cleared"] = (~by_line["is_yes"].max().astype(bool)).reindex(lines["number"], fill_value=False).to_numpy(bool)
    return found
