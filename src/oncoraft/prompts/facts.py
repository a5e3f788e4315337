"""Facts of each field, by joining dated records with index dates: frames of case_id, value, days_before_index.

Every function takes cases (case_id, patient_id, index_day) and source tables and returns only what was known. Records of
the index day itself are left out of clinical fields, because the order within a day is not recorded.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

Tables = dict[str, pd.DataFrame]
DAYS_PER_YEAR = 365.25
SITE_LOOKBACK_DAYS = 90
MARKER_CHANGE = 0.2  # a fifth up or down reads as rising or falling; assumed, within assay variation below it
SILENT = ("Silent", "Intron", "3'UTR", "5'UTR", "3'Flank", "5'Flank", "IGR", "RNA")
MARKERS = {"timeline_psa_labs": "PSA", "timeline_cea_labs": "CEA", "timeline_ca_19_9_labs": "CA 19-9", "timeline_ca_15_3_labs": "CA 15-3"}
TMB_BANDS = [-np.inf, 2, 6, 10, np.inf]


def records_before(cases: pd.DataFrame, rows: pd.DataFrame, within_days: int | None = None, same_day: bool = False) -> pd.DataFrame:
    """Rows of a timeline dated before each case's index date, with `days_before_index`; closest first."""
    joined = cases[["case_id", "patient_id", "index_day"]].merge(rows, on="patient_id")
    joined["days_before_index"] = joined["index_day"] - joined["start_day"]
    keep = joined["days_before_index"] >= (0 if same_day else 1)
    if within_days is not None:
        keep &= joined["days_before_index"] <= within_days
    return joined[keep].sort_values(["case_id", "days_before_index"], kind="stable")


def facts(frame: pd.DataFrame, value: pd.Series) -> pd.DataFrame:
    """Case, value and age of a fact."""
    days = frame["days_before_index"] if "days_before_index" in frame else pd.Series(pd.NA, index=frame.index)
    return pd.DataFrame({"case_id": frame["case_id"], "value": value.astype(str), "days_before_index": days.astype("Int32")})


def closest(frame: pd.DataFrame, count: int = 1) -> pd.DataFrame:
    """The closest records of each case."""
    return frame.groupby("case_id", sort=False).head(count)


def patient(cases: pd.DataFrame, tables: Tables) -> dict[str, pd.DataFrame]:
    """Sex, race, receptors, and age at index: age at the end of follow-up less the years since the index date.

    Only the difference enters, in bands of ten years, so that the length of follow-up cannot be read from it.
    """
    joined = cases.merge(tables["clinical_patient"], on="patient_id")
    age = joined["current_age_deid"] - (joined["os_days"] - joined["index_day"]) / DAYS_PER_YEAR
    decade = (age // 10 * 10).astype("Int64")
    band = decade.astype(str) + "s"
    receptor = {True: "positive", False: "negative"}
    found = {
        "sex": facts(joined, joined["gender"].str.lower())[joined["gender"].isin(["Female", "Male"])],
        "race": facts(joined, joined["race"])[joined["race"].notna()],
        "age_at_index": facts(joined, band)[decade.notna()],
        "hormone_receptor": facts(joined, joined["hr"].map(receptor))[joined["hr"].notna()],
        "her2": facts(joined, joined["her2"].map(receptor))[joined["her2"].notna()],
    }
    return found


def diagnosis(cases: pd.DataFrame, tables: Tables) -> dict[str, pd.DataFrame]:
    """Stage and histology of the latest diagnosis on or before the index date."""
    rows = closest(records_before(cases, tables["timeline_diagnosis"], same_day=True))
    histology = rows["dx_description"].fillna("").str.split("|").str[0].str.strip().str.lower()
    return {
        "stage": facts(rows, rows["stage_cdm_derived"])[rows["stage_cdm_derived"].notna()],
        "histology": facts(rows, histology)[histology != ""],
    }


def disease(cases: pd.DataFrame, tables: Tables, count: int) -> dict[str, pd.DataFrame]:
    """ECOG, imaging verdicts, tumour sites of the last 90 days, markers with their trend."""
    ecog = records_before(cases, tables["timeline_performance_status"].dropna(subset=["ecog"]))
    words = {"Y": "yes", "N": "no"}
    progression = records_before(cases, tables["timeline_progression"])
    progression = closest(progression[progression["progression"].isin(list(words))], count)
    presence = records_before(cases, tables["timeline_cancer_presence"])
    presence = closest(presence[presence["has_cancer"].isin(list(words))])
    sites = records_before(cases, tables["timeline_tumor_sites"].dropna(subset=["tumor_site"]), SITE_LOOKBACK_DAYS)
    sites = sites.drop_duplicates(["case_id", "tumor_site"]).sort_values(["case_id", "tumor_site"])
    return {
        "ecog": facts(closest(ecog, count), closest(ecog, count)["ecog"].astype("Int64")),
        "progression": facts(progression, progression["progression"].map(words)),
        "cancer_presence": facts(presence, presence["has_cancer"].map(words)),
        "tumor_sites": facts(sites, sites["tumor_site"].str.lower() + " disease"),
        "tumor_marker": pd.concat([_marker(cases, tables[name], marker) for name, marker in MARKERS.items()]),
    }


def _marker(cases: pd.DataFrame, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The latest value of a marker in the last 180 days and its direction since the value before."""
    latest = records_before(cases, rows.dropna(subset=["result"]), 180)
    latest = latest.assign(place=latest.groupby("case_id").cumcount())
    now = latest[latest["place"] == 0]
    earlier = latest[latest["place"] == 1].set_index("case_id")["result"].reindex(now["case_id"]).to_numpy()
    ratio = now["result"].to_numpy() / np.where(earlier > 0, earlier, np.nan)
    trend = np.select([ratio > 1 + MARKER_CHANGE, ratio < 1 - MARKER_CHANGE], ["rising", "falling"], "steady")
    return facts(now, name + " " + pd.Series(trend, index=now.index))


def treatment(cases: pd.DataFrame, tables: Tables, count: int, supportive: set[str]) -> dict[str, pd.DataFrame]:
    """Line of therapy, agents received before, radiation and surgery so far."""
    agents = records_before(cases, tables["timeline_treatment"])
    agents = agents[~agents["agent"].isin(supportive)].drop_duplicates(["case_id", "agent"])
    agents = closest(agents, 2 * count)
    found = {"line": facts(cases, cases["line_of_therapy"]), "prior_agents": facts(agents, agents["agent"].str.lower())}
    for field, name in (("radiation", "timeline_radiation"), ("surgery", "timeline_surgery")):
        rows = records_before(cases, tables[name])
        totals = rows.groupby("case_id").agg(value=("start_day", "size"), days_before_index=("days_before_index", "min")).reset_index()
        found[field] = facts(totals, totals["value"])
    return found


def pathology(cases: pd.DataFrame, tables: Tables) -> dict[str, pd.DataFrame]:
    """PD-L1, mismatch repair and Gleason score, the closest record of each."""
    pdl1 = closest(records_before(cases, tables["timeline_pdl1"].dropna(subset=["pdl1_positive"])))
    mmr = closest(records_before(cases, tables["timeline_mmr"].dropna(subset=["mmr_absent"])))
    gleason = closest(records_before(cases, tables["timeline_gleason"].dropna(subset=["gleason_score"])))
    return {
        "pdl1": facts(pdl1, pdl1["pdl1_positive"].map({True: "positive", False: "negative"})),
        "mmr": facts(mmr, mmr["mmr_absent"].map({True: "deficient", False: "intact"})),
        "gleason": facts(gleason, gleason["gleason_score"].astype("Int64")),
    }


def known_specimens(cases: pd.DataFrame, tables: Tables, known: str) -> pd.DataFrame:
    """Specimens whose genomics may be shown: sequenced (or acquired) on or before the index date."""
    rows = tables["timeline_specimen" if known == "sequenced" else "timeline_specimen_surgery"]
    found = records_before(cases, rows[["patient_id", "start_day", "sample_id"]], same_day=True)
    return found.drop_duplicates(["case_id", "sample_id"])


def genomics(cases: pd.DataFrame, tables: Tables, known: str) -> dict[str, pd.DataFrame]:
    """Specimen type, MSI, tumour mutational burden, mutations, copy-number calls, fusions."""
    specimens = known_specimens(cases, tables, known)
    clinical = closest(specimens.merge(tables["clinical_sample"].drop(columns="patient_id"), on="sample_id"))
    burden = pd.cut(clinical["tmb_nonsynonymous"], TMB_BANDS, right=False, labels=["very low", "low", "intermediate", "high"])
    msi = clinical[clinical["msi_type"].isin(["Stable", "Instable"])]
    mutations = tables["mutations"]
    mutations = mutations[~mutations["variant_classification"].isin(SILENT)]
    change = mutations["hgvsp_short"].fillna("").str.removeprefix("p.")
    named = (mutations["hugo_symbol"] + " " + change).str.strip()
    mutations = mutations.assign(sample_id=mutations["tumor_sample_barcode"], value=named)[["sample_id", "value"]]
    calls = tables["cna"]
    calls = calls[calls["call"].isin([2.0, -2.0])]
    calls = calls.assign(value=calls["gene"] + np.where(calls["call"] > 0, " amplification", " deletion"))[["sample_id", "value"]]
    fusions = tables["sv"].dropna(subset=["site1_hugo_symbol", "site2_hugo_symbol"])
    fusions = fusions[fusions["site1_hugo_symbol"] != fusions["site2_hugo_symbol"]]
    fusions = fusions.assign(value=fusions["site1_hugo_symbol"] + "-" + fusions["site2_hugo_symbol"])[["sample_id", "value"]]
    found = {
        "specimen_type": facts(clinical, clinical["sample_type"].str.lower())[clinical["sample_type"].notna()],
        "msi": facts(msi, msi["msi_type"].str.lower()),
        "tmb": facts(clinical, burden)[burden.notna()],
    }
    for field, rows in (("mutation", mutations), ("copy_number", calls), ("structural_variant", fusions)):
        joined = specimens.merge(rows, on="sample_id").drop_duplicates(["case_id", "value"]).sort_values(["case_id", "value"])
        found[field] = facts(joined, joined["value"])
    return found
