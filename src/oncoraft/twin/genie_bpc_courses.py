"""Regimens, radiation, pathology and markers of the BPC twin."""

from __future__ import annotations

from typing import Any

import pandas as pd

from oncoraft.foundation.stable import stable_fraction
from oncoraft.knowledge.drugs import drugs
from oncoraft.twin.genie_bpc_people import Life, Rows, each

TOGETHER, SLOTS = 7, 5  # days within which drugs are one regimen, drugs of one at most
BOTH_CANCERS = 0.3  # regimens of patients with two index cancers that are linked to both
UNKNOWN_END = 0.06  # drugs whose end no document tells
WITH_RADIATION = ("PANC", "Prostate")
# As curators write them: salts, a space before the bracket, no bracket at all.
SPELLINGS = {
    "PEMETREXED": "Pemetrexed Disodium(Alimta,LY231514)",
    "ERLOTINIB": "Erlotinib Hydrochloride(CP-358774,Tarceva)",
    "TAMOXIFEN": "Tamoxifen Citrate (Nolvadex,Soltamox)",
    "CETUXIMAB": "Cetuximab, C225, Erbitux",
    "INVESTIGATIONAL": "Investigational Drug",
}
TESTS = {"timeline_ca_15_3_labs": "CA 15-3", "timeline_ca_19_9_labs": "CA 19-9", "timeline_psa_labs": "PSA"}
MARKERS_OF = {"CRC": (), "NSCLC": ()}  # cohorts without a table of markers


def spelt(agent: str) -> str:
    """A drug's cell: its name and its synonyms."""
    if agent in SPELLINGS:
        return SPELLINGS[agent]
    known = drugs().get(agent)
    names = [agent.title(), *(name.title() for name in (known.synonyms if known else ()))]
    return f"{names[0]}({','.join(names)})"


def files(people: dict[str, Life], tables: Rows, cohort: str, seed: int) -> Rows:
    """The regimen table and what else is dated from a cancer."""
    made = {
        "regimen_cancer_level_dataset.csv": _regimens(people, tables, cohort, seed),
        "pathology_report_level_dataset.csv": _pathology(people, tables, cohort),
    }
    if cohort in WITH_RADIATION:
        made["ca_radtx_dataset.csv"] = _radiation(people, tables, cohort)
    if cohort not in MARKERS_OF:
        made["tm_level_dataset.csv"] = _markers(people, tables, cohort)
    return made


def _regimens(people: dict[str, Life], tables: Rows, cohort: str, seed: int) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    treated = tables["timeline_treatment"]
    keep = treated["AGENT"].map(lambda agent: agent == "INVESTIGATIONAL" or (agent in drugs() and not drugs()[agent].supportive))
    treated = treated[keep].assign(start=treated["START_DATE"].astype(int)).sort_values(["PATIENT_ID", "start", "AGENT"], kind="stable")
    for who, mine in treated.groupby("PATIENT_ID", sort=False):
        groups: list[list[Any]] = []
        for row in each(mine):
            if not groups or row.start > groups[-1][0].start + TOGETHER or len(groups[-1]) == SLOTS:
                groups.append([])
            groups[-1].append(row)
        life = people[str(who)]
        for number, group in enumerate(groups, 1):
            of = [life.cancer_at(life.zero + group[0].start)]
            others = [one for one in life.cancers if one.is_index and one != of[0]]
            if others and stable_fraction(seed, "genie_bpc", "both", who, number) < BOTH_CANCERS:
                of += others[:1]
            rows += [_regimen(cohort, str(who), life, one, number, group, seed) for one in of]
    return pd.DataFrame(rows)


def _regimen(cohort: str, who: str, life: Life, of: Any, number: int, group: list[Any], seed: int) -> dict[str, Any]:
    """One row of the regimen table: drugs of birth's clock, of their own cancer's, and names."""
    row: dict[str, Any] = {
        "cohort": cohort, "record_id": who, "institution": who.split("-")[1], "ca_seq": of.ca_seq, "regimen_number": number,
        "redcap_ca_index": "Yes", "drugs_num": len(group), "drugs_ct_yn": "No",
        "regimen_drugs": ", ".join(sorted(spelt(one.AGENT).split("(")[0].split(",")[0].strip() for one in group)),
        "dx_reg_start_int": life.zero + group[0].start - of.birth_day, "os_g_status": int(life.died), "tt_os_g_days": life.end - life.zero - group[0].start,
    }  # fmt: skip
    for slot in range(1, SLOTS + 1):
        one = group[slot - 1] if slot <= len(group) else None
        start = None if one is None else life.zero + one.start
        masked = one is not None and one.AGENT == "INVESTIGATIONAL"
        lacks = one is None or masked or not one.STOP_DATE or stable_fraction(seed, "genie_bpc", "end", who, number, slot) < UNKNOWN_END
        row[f"drugs_drug_{slot}"] = "" if one is None else spelt(one.AGENT)
        row[f"drugs_startdt_int_{slot}"] = start
        row[f"dx_drug_start_int_{slot}"] = None if start is None else start - of.birth_day
        row[f"dx_drug_end_int_{slot}"] = None if lacks or one is None else life.zero + int(one.STOP_DATE) - of.birth_day
        if masked:
            row["drugs_ct_yn"] = "Yes"
    return row


def _pathology(people: dict[str, Life], tables: Rows, cohort: str) -> pd.DataFrame:
    """The report of every specimen's procedure, and those of PD-L1."""
    acquired = tables["timeline_specimen_surgery"].set_index("SAMPLE_ID")["START_DATE"].astype(int)
    rows = []
    for number, one in enumerate(each(tables["clinical_sample"]), 1):
        life = people[one.PATIENT_ID]
        rows.append(_report(cohort, one.PATIENT_ID, life, number, int(acquired[one.SAMPLE_ID]), ""))
    for number, one in enumerate(each(tables["timeline_pdl1"]), len(rows) + 1):
        rows.append(_report(cohort, one.PATIENT_ID, people[one.PATIENT_ID], number, int(one.START_DATE), one.PDL1_POSITIVE))
    return pd.DataFrame(rows)


def _report(cohort: str, who: str, life: Life, number: int, day: int, pdl1: str) -> dict[str, Any]:
    birth_day = life.zero + day
    return {
        "cohort": cohort, "record_id": who, "path_proc_number": number, "path_rep_number": 1, "path_proc_int": birth_day,
        "dx_path_proc_days": birth_day - life.first_index.birth_day, "pdl1_positive_any": pdl1,
    }  # fmt: skip


def _radiation(people: dict[str, Life], tables: Rows, cohort: str) -> pd.DataFrame:
    rows = []
    for one in each(tables["timeline_radiation"]):
        life = people[one.PATIENT_ID]
        of = life.cancer_at(life.zero + int(one.START_DATE))
        rows.append(
            {
                "cohort": cohort,
                "record_id": one.PATIENT_ID,
                "ca_seq": of.ca_seq,
                "dx_rt_start_days": life.zero + int(one.START_DATE) - of.birth_day,
                "rt_rt_int": 14,
            }
        )
    return pd.DataFrame(rows, columns=["cohort", "record_id", "ca_seq", "dx_rt_start_days", "rt_rt_int"])


def _markers(people: dict[str, Life], tables: Rows, cohort: str) -> pd.DataFrame:
    """Markers on birth's clock and the first index cancer's; no CEA, as in the releases of breast cancer."""
    rows = []
    for name, test in TESTS.items():
        for one in each(tables[name]):
            life = people[one.PATIENT_ID]
            day = life.zero + int(one.START_DATE)
            rows.append(
                {
                    "cohort": cohort, "record_id": one.PATIENT_ID, "tm_type": test, "tm_num_result": float(one.RESULT), "tm_result_units": one.LR_UNIT_MEASURE.strip(),
                    "tm_spec_collect_int": day, "dx_tm_days": day - life.first_index.birth_day,
                }
            )  # fmt: skip
    return pd.DataFrame(
        rows, columns=["cohort", "record_id", "tm_type", "tm_num_result", "tm_result_units", "tm_spec_collect_int", "dx_tm_days"]
    )
