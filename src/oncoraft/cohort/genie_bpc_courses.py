"""Drugs, radiation and tumour markers of a GENIE BPC release."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.cohort.conversion import Converted, Origin
from oncoraft.cohort.genie_bpc_release import MARKERS, RADIATION, REGIMENS, Release
from oncoraft.cohort.source_tables import coalesced, days, on_one_clock, text, written
from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import drugs
from oncoraft.knowledge.genie_bpc import MARKERS as TESTS
from oncoraft.knowledge.genie_bpc import MASKED_DRUG, drug_name

SLOTS = range(1, 6)
WHO, STOP_BLANK = Origin("mapped", "record_id"), "empty where the course goes on, is unknown, or is masked"
TREATMENT_ORIGINS = {
    "PATIENT_ID": WHO,
    "START_DATE": Origin("mapped", "drugs_startdt_int_n, held against dx_drug_start_int_n and the diagnosis of the drug's own cancer"),
    "STOP_DATE": Origin("mapped", f"dx_drug_end_int_n, last administration, or start and length; {STOP_BLANK}"),
    "SUBTYPE": Origin("approximated", "by the drug table; a drug that it lacks is Hormone where its name says so, else Other"),
    "AGENT": Origin("mapped", "the name before its synonyms in drugs_drug_n; of a salt the agent"),
    "RX_INVESTIGATIVE": Origin("mapped", "whether the drug is masked or drugs_ct_yn says so"),
}
RADIATION_ORIGINS = {
    "PATIENT_ID": WHO,
    "START_DATE": Origin("mapped", "dx_rt_start_days and the diagnosis of its own cancer"),
    "STOP_DATE": Origin("mapped", "start and rt_rt_int"),
}
MARKER_ORIGINS = {
    "PATIENT_ID": WHO,
    "START_DATE": Origin("mapped", "tm_spec_collect_int, held against dx_tm_days and the first index cancer"),
    "TEST": Origin("mapped", "tm_type"),
    "RESULT": Origin("mapped", "tm_num_result"),
    "LR_UNIT_MEASURE": Origin("mapped", "tm_result_units"),
}


def read(release: Release, part: Converted) -> None:
    """Treatment, radiation, markers."""
    _treatment(release, part)
    _radiation(release, part)
    _markers(release, part)


def _treatment(release: Release, part: Converted) -> None:
    """A row an agent; a regimen that is linked to two cancers stands there twice and counts once."""
    path = release.path(REGIMENS)
    rows = release.tables[REGIMENS]
    everybody = len(rows)
    rows = rows[rows["record_id"].isin(release.zero.index)]
    part.count(path, "set aside: regimens of patients without day 0", everybody - len(rows))
    again = rows.duplicated(["record_id", "regimen_number"])
    part.count(path, "set aside: a regimen's further rows, for another cancer", int(again.sum()))
    # Clocks before doubles are dropped: each row counts from its own cancer.
    own = release.own_diagnosis(rows)
    part.count(path, "regimens of a cancer that is not there; days from its diagnosis cannot be told", int(own.isna().sum()))
    nameless = (pd.concat([text(rows, f"drugs_drug_{slot}") for slot in SLOTS], axis=1) == "").all(axis=1)
    part.count(path, "set aside: regimens that name no drug", int((nameless & ~again).sum()))
    agents, early = [], 0
    for slot in SLOTS:
        named = text(rows, f"drugs_drug_{slot}")
        from_dx = days(rows, f"dx_drug_start_int_{slot}", path) + own
        names = (f"drugs_startdt_int_{slot}", f"dx_drug_start_int_{slot}")
        start, differ = on_one_clock(days(rows, names[0], path), from_dx, rows, path, names)
        part.count(path, f"days that {names[0]} and {names[1]} tell differently; the first counts", differ)
        length = days(rows, f"drug_start_end_int_{slot}", path)
        ends = [days(rows, f"{name}_{slot}", path) + own for name in ("dx_drug_end_int", "dx_drug_end_or_lastadm_int")]
        stop = coalesced([*ends, start + length])
        masked = named.map(drug_name) == MASKED_DRUG
        early += int(((stop < start) & (named != "") & ~masked & ~again).sum())
        agents.append(
            pd.DataFrame(
                {
                    "PATIENT_ID": rows["record_id"],
                    "start": release.from_zero(rows, start),
                    # Before its own start an end is a typing error, and the row would be refused: the start stays.
                    "stop": release.from_zero(rows, stop.where(~(stop < start) & ~masked)),
                    "AGENT": named.map(drug_name).str.upper(),
                    "RX_INVESTIGATIVE": np.where(masked | (text(rows, "drugs_ct_yn") == "Yes"), "Y", "N"),
                }
            )[(named != "") & ~again]
        )
    part.count(path, "ends of drugs before their start; left empty", early)
    found = pd.concat(agents)
    part.count(path, "set aside: drugs without a day on which they began", int(found["start"].isna().sum()))
    found = found.dropna(subset=["start"]).sort_values(["PATIENT_ID", "start", "AGENT"], kind="stable")
    found = found.assign(START_DATE=written(found["start"]), STOP_DATE=written(found["stop"]))
    found["AGENT"] = found["AGENT"].replace(MASKED_DRUG.upper(), "INVESTIGATIONAL")
    found["SUBTYPE"] = found["AGENT"].map(_subtype)
    part.count(path, "taken: drugs of regimens", len(found))
    part.put("timeline_treatment", found, TREATMENT_ORIGINS)


def _subtype(agent: str) -> str:
    """The class that an agent's rows have to give where the drug table knows none."""
    known = [drugs()[name].subtype for name in resolve(agent).agents if name in drugs()]
    return known[0] if known else "Hormone" if "HORMONE" in agent or "ADT" in agent else "Other"


def _radiation(release: Release, part: Converted) -> None:
    if RADIATION not in release.tables:
        return
    path, rows = release.path(RADIATION), release.tables[RADIATION]
    everybody = len(rows)
    rows = rows[rows["record_id"].isin(release.zero.index)]
    part.count(path, "set aside: radiation of patients without day 0", everybody - len(rows))
    start = release.from_zero(rows, days(rows, "dx_rt_start_days", path) + release.own_diagnosis(rows))
    found = pd.DataFrame(
        {"PATIENT_ID": rows["record_id"], "START_DATE": written(start), "STOP_DATE": written(start + days(rows, "rt_rt_int", path))}
    )
    part.count(path, "set aside: radiation without a day", int(start.isna().sum()))
    part.put("timeline_radiation", found[start.notna()], RADIATION_ORIGINS)


def _markers(release: Release, part: Converted) -> None:
    if MARKERS not in release.tables:
        return
    path, rows = release.path(MARKERS), release.tables[MARKERS]
    everybody = len(rows)
    rows = rows[rows["record_id"].isin(release.zero.index)]
    part.count(path, "set aside: markers of patients without day 0", everybody - len(rows))
    names = ("tm_spec_collect_int", "dx_tm_days")
    day, differ = on_one_clock(days(rows, names[0], path), days(rows, names[1], path) + release.first_diagnosis(rows), rows, path, names)
    part.count(path, f"days that {names[0]} and {names[1]} tell differently; the first counts", differ)
    test = text(rows, "tm_type").map(lambda word: TESTS.get("".join(letter for letter in word.upper() if letter.isalnum()), ""))
    result = text(rows, "tm_num_result")
    usable = (test != "") & day.notna() & (result != "")
    part.count(path, "set aside: markers without a table, a day or a number", int((~usable).sum()))
    found = pd.DataFrame(
        {
            "PATIENT_ID": rows["record_id"],
            "START_DATE": written(release.from_zero(rows, day)),
            "TEST": test,
            "RESULT": result,
            "LR_UNIT_MEASURE": text(rows, "tm_result_units"),
        }
    )[usable]
    for name in sorted(set(found["TEST"])):
        part.put(f"timeline_{name.lower().replace('-', '_')}_labs", found[found["TEST"] == name], MARKER_ORIGINS)
