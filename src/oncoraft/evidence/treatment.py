"""Facts about treatment: the drugs about to start, earlier lines and what imaging said of them, agents, radiation, surgery.

Nothing is taken from when an earlier treatment ended: a stop day may lie beyond the index date.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from oncoraft.evidence.disease import Reports
from oncoraft.evidence.known import Tables, ago, closest, facts, in_one, known_records, of_distinct
from oncoraft.knowledge.drug_rows import are_for
from oncoraft.knowledge.drugs import Drug, drugs

RESPONSE_LAG_DAYS = 14  # imaging of the first two weeks tells of the time before the line (as for the labels)
REGISTRATION_DAYS = 30  # what began longer before the cancer's registration treated another, or an unknown one (as for the cases)
SILENT_MECHANISMS = ("not disclosed", "given for another condition")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth")
TREATED = "Prior medications to MSK"
OUTSIDE = {TREATED: ("yes", "treated elsewhere before"), "No prior medications": ("no", "not treated elsewhere before")}
REGIMENS = "regimens"  # the case list as a table: when each earlier line began


def regimens_table(cases: pd.DataFrame) -> pd.DataFrame:
    """The case list as a dated table: patient, first day, cancer, agents within the combination window, setting and line."""
    columns = ["patient_id", "index_day", "cancer_type", "agents", "setting", "line_of_therapy", "line_overall"]
    return cases[columns].rename(columns={"index_day": "start_day", "cancer_type": "line_cancer_type"})


def planned(cases: pd.DataFrame, notes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The drugs about to start with their class and mechanism, setting and line of therapy.

    Args:
        cases: numbered cases.
        notes: from `outside`.
    """
    knowledge = drugs()
    exploded = cases[["case", "agents_at_index"]].explode("agents_at_index").dropna().reset_index(drop=True)
    agent = exploded["agents_at_index"]
    mechanism = agent.map({name: drug.mechanism for name, drug in knowledge.items() if _is_disclosed(drug)})
    radiation = pd.Series("yes", index=cases.index).where(cases["is_chemoradiation_at_index"].astype(bool))
    return {
        "drug": facts(exploded, _lower(agent), reading=agent.map(with_class)),
        "drug_mechanism": facts(exploded, mechanism, name=_lower(agent)),
        "concurrent_radiation": facts(cases, radiation),
        "setting": facts(cases, cases["setting"].where(cases["setting"] != "unknown")),
        **_lines(cases, notes),
    }


def _is_disclosed(drug: Drug) -> bool:
    """Whether the table tells how a drug acts on this cancer."""
    return bool(drug.mechanism) and not drug.mechanism.lower().startswith(SILENT_MECHANISMS)


@cache
def with_class(agent: str) -> str:
    """An agent with its class: `osimertinib (EGFR inhibitor)`; a class that holds the name stands for both."""
    name, drug = agent.lower(), drugs().get(agent)
    kind = drug.drug_class if drug else ""
    return kind if name in kind.split() else f"{name} ({kind})" if kind else name


def named(agents: pd.Series) -> pd.Series:
    """Agents as a reader expects them; trial drugs are masked in the source."""
    return of_distinct(agents, lambda words: words.replace("INVESTIGATIONAL", "investigational agent").str.lower())


def _lower(words: pd.Series) -> pd.Series:
    return of_distinct(words, lambda distinct: distinct.str.lower())


def _lines(cases: pd.DataFrame, notes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Which line this is: within its setting, or among all where the setting is unknown.

    Where treatment elsewhere is known, the source counts only what was given here, and no line is claimed.
    """
    of_setting = cases["setting"] != "unknown"
    number = cases["line_of_therapy"].where(of_setting, cases["line_overall"])
    ordinal = number.map(lambda place: ORDINALS[place - 1] if 0 < place <= len(ORDINALS) else f"number {place}")
    elsewhere = cases["case"].isin(treated_elsewhere(notes))
    kind = cases["setting"].where(of_setting, "systemic")
    line = (ordinal + " line of " + kind + " treatment").mask(
        elsewhere, kind + " treatment number " + number.astype(str) + " recorded here, after treatment elsewhere"
    )
    overall = cases[of_setting & ~elsewhere & (cases["line_overall"] > cases["line_of_therapy"])]
    return {"line": facts(cases, number, reading=line), "line_overall": facts(overall, overall["line_overall"])}


def treated_elsewhere(notes: pd.DataFrame) -> pd.Series:
    """Numbers of the cases whose notes tell of treatment elsewhere before."""
    return notes.loc[notes["is_treated"], "case"]


def outside(cases: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Of the notes on treatment elsewhere the closest that tells of some, else the closest."""
    notes = known_records(cases, tables["timeline_prior_meds"], "outside_treatment", ties="prior_med_to_msk")
    notes = notes[notes["prior_med_to_msk"].isin(list(OUTSIDE))]
    notes = notes.assign(is_treated=notes["prior_med_to_msk"] == TREATED)
    # lexsort takes its last key first; the row number keeps the nearer first among equals.
    return closest(notes.iloc[np.lexsort([np.arange(len(notes)), ~notes["is_treated"].to_numpy(), notes["case"].to_numpy()])])


def received(cases: pd.DataFrame, tables: Tables, notes: pd.DataFrame, count: int) -> dict[str, pd.DataFrame]:
    """Agents received before, and treatment elsewhere."""
    supportive = [name for name, drug in drugs().items() if drug.supportive]
    rows = tables["timeline_treatment"]
    agents = known_records(cases, rows[~rows["agent"].isin(supportive)], "prior_agents", ties="agent").drop_duplicates(["case", "agent"])
    case = cases.set_index("case")[["diagnosis_day", "cancer_type"]].reindex(agents["case"])
    # An unregistered cancer has NaN for its day, which compares false: nothing is early then.
    early = agents["start_day"].to_numpy() < case["diagnosis_day"].astype("float64").to_numpy() - REGISTRATION_DAYS
    is_other = early | ~are_for(agents["agent"], case["cancer_type"])
    own, others = (closest(agents[which], 2 * count) for which in (~is_other, is_other))
    return {
        "prior_agents": facts(own, _lower(own["agent"]), reading=named(own["agent"])),
        "agents_of_other_cancer": facts(others, _lower(others["agent"]), reading=named(others["agent"])),
        "outside_treatment": facts(
            notes,
            notes["prior_med_to_msk"].map({word: value for word, (value, _) in OUTSIDE.items()}),
            reading=notes["prior_med_to_msk"].map({word: text for word, (_, text) in OUTSIDE.items()}),
        ),
    }


def local(cases: pd.DataFrame, tables: Tables, count: int) -> dict[str, pd.DataFrame]:
    """Radiation and surgery so far."""
    surgery = tables["timeline_surgery"]
    # These rows took a specimen; they are no operation (docs/labels.md).
    surgery = surgery[surgery["subtype"].fillna("") != "SAMPLE"]
    return {
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


def prior_regimens(cases: pd.DataFrame, tables: Tables, told: Reports, notes: pd.DataFrame, count: int) -> pd.DataFrame:
    """The last few regimens of the case's cancer before: their agents started before the index date, and the imaging verdicts while they lasted.

    A regimen lasts from its 15th day to the next one or the index date. Progression wins over no cancer seen, that over no
    progression; without informative imaging nothing is said of it.
    """
    lines = known_records(cases, tables[REGIMENS], "prior_regimen", ties="line_overall")
    # Lines count within a cancer: what another was treated with is none of this one's (`agents_of_other_cancer` tells of it).
    lines = lines[lines["line_cancer_type"].to_numpy() == cases.set_index("case")["cancer_type"].reindex(lines["case"]).to_numpy()]
    after = lines.groupby("case", sort=False)["start_day"].shift(1)  # sorted closest first: the row above began later
    lines = closest(lines.assign(until=after.fillna(lines["index_day"])), count).reset_index(drop=True)
    lines["number"] = np.arange(len(lines), dtype=np.int32)
    names = lines["number"].map(_agents_begun(lines, tables["timeline_treatment"]))
    verdict = _verdicts(lines, told)
    days = verdict["first_progression"]
    when = ago((lines["index_day"] - lines["start_day"] - days).astype("float64"))
    reading = np.select(
        [days.notna(), verdict["cleared"], verdict["quiet"]],
        [": progression on imaging " + when, ": no cancer seen on imaging", ": no progression on imaging"],
        "",
    )
    of_setting = lines["setting"] != "unknown"
    number = lines["line_of_therapy"].where(of_setting, lines["line_overall"]).astype(str)
    place = (lines["setting"] + " line " + number).where(of_setting, "line " + number)
    place = place.mask(lines["case"].isin(treated_elsewhere(notes)), "earlier regimen")
    return facts(lines, names, place=place, reading=pd.Series(reading, index=lines.index))


def _agents_begun(lines: pd.DataFrame, treatment: pd.DataFrame) -> pd.Series:
    """Line number -> names of its agents that were begun from its first day up to the day before the index date."""
    agents = lines[["number", "person", "start_day", "index_day", "agents"]].explode("agents").rename(columns={"agents": "agent"})
    begun = agents.merge(treatment[["person", "agent", "start_day"]], on=["person", "agent"], suffixes=("", "_agent"))
    begun = begun[(begun["start_day_agent"] >= begun["start_day"]) & (begun["start_day_agent"] < begun["index_day"])]
    begun = begun.drop_duplicates(["number", "agent"]).sort_values(["number", "agent"], kind="stable")
    return in_one(begun["number"], named(begun["agent"]), " + ")


def _verdicts(lines: pd.DataFrame, told: Reports) -> pd.DataFrame:
    """By line: day of its first progression (null), whether cancer was once not seen, whether any imaging was decided."""
    found = pd.DataFrame(index=lines.index)
    for column, reports in told._asdict().items():
        reports = reports[["person", "start_day", "is_yes"]].rename(columns={"start_day": "report_day"})
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
