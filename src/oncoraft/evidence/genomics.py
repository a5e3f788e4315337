"""Facts from sequenced specimens: only those sequenced (or acquired, by setting) by the index date, of the case's own cancer type."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.evidence.allow_list import SPECIMEN_TABLES
from oncoraft.evidence.known import Tables, closest, facts, in_figures, known_records

SILENT = ("Silent", "Intron", "3'UTR", "5'UTR", "3'Flank", "5'Flank", "IGR", "RNA")
TMB_BANDS = [-np.inf, 2, 6, 10, np.inf]
MSI = {"Stable": ("stable", "microsatellite stable"), "Instable": ("instable", "microsatellite instability high")}
SPECIMENS = {
    "Primary": "specimen of the primary tumour",
    "Metastasis": "specimen of a metastasis",
    "Local Recurrence": "specimen of a local recurrence",
}
LISTED_AS = {"mutation": "mutations", "copy_number": "copy-number calls", "structural_variant": "structural variants"}
EVENTS = {"sequenced": "sequenced", "acquired": "taken"}
# Listed first where a tumour has more alterations than are shown: genes that decide treatment of the five cancers, or drive them.
LISTED_FIRST = tuple(
    [
        "EGFR",
        "KRAS",
        "NRAS",
        "BRAF",
        "ALK",
        "ROS1",
        "RET",
        "MET",
        "ERBB2",
        "NTRK1",
        "NTRK2",
        "NTRK3",
        "PIK3CA",
        "ESR1",
        "BRCA1",
        "BRCA2",
        "PALB2",
        "ATM",
        "AR",
        "POLE",
        "POLD1",
        "MLH1",
        "MSH2",
        "MSH6",
        "PMS2",
        "TP53",
        "STK11",
        "KEAP1",
        "SMARCA4",
        "PTEN",
        "AKT1",
        "CDK4",
        "CDK12",
        "CDKN2A",
        "RB1",
        "NF1",
        "APC",
        "SMAD4",
        "GNAS",
        "FBXW7",
        "SPOP",
        "FOXA1",
        "GATA3",
        "CDH1",
        "MAP3K1",
        "ARID1A",
        "FGFR1",
        "FGFR2",
        "FGFR3",
        "MYC",
        "CCND1",
        "MDM2",
        "MTOR",
        "TSC1",
        "TSC2",
        "B2M",
        "JAK1",
        "JAK2",
    ]
)


def known_specimens(cases: pd.DataFrame, tables: Tables, known: str) -> pd.DataFrame:
    """Specimens whose genomics may be shown, the latest first; those of another cancer of the patient are left out."""
    rows = tables[SPECIMEN_TABLES[known]][["person", "start_day", "sample_id"]]
    found = known_records(cases, rows, "mutation", ties="sample_id").drop_duplicates(["case", "sample_id"])
    found = found.merge(tables["clinical_sample"].drop(columns="person"), on="sample_id")
    own = cases.set_index("case")["cancer_type"].reindex(found["case"]).to_numpy()
    found = found[(found["cancer_type"] == own) | found["cancer_type"].isna()]
    return found.iloc[np.lexsort([found["sample_id"].to_numpy(str), found["days_before_index"].to_numpy(), found["case"].to_numpy()])]


def specimen(specimens: pd.DataFrame, known: str) -> dict[str, pd.DataFrame]:
    """Type, site and purity of the latest known specimen, and what was measured on it as a whole."""
    last = closest(specimens)
    metastatic = last["sample_type"] == "Metastasis"
    site = last["metastatic_site"].where(metastatic, last["primary_site"])
    burden = last["tmb_nonsynonymous"]
    bands = pd.cut(burden, TMB_BANDS, right=False, labels=["very low", "low", "intermediate", "high"]).astype(object)
    purity = last["tumor_purity"].where(last["tumor_purity"] > 0)
    return {
        "specimen_type": facts(
            last,
            last["sample_type"].where(last["sample_type"] != "Unknown").str.lower(),
            reading=last["sample_type"].replace(SPECIMENS),
            event=EVENTS[known],
        ),
        "specimen_site": facts(last, site.str.lower()),
        "organ": facts(last, last["primary_site"].where(last["primary_site"] != "")),
        "specimen_histology": facts(last, last["cancer_type_detailed"].str.lower()),
        "tumor_purity": facts(last, in_figures(purity)),
        "msi": facts(
            last,
            last["msi_type"].map({word: value for word, (value, _) in MSI.items()}),
            reading=last["msi_type"].map({word: text for word, (_, text) in MSI.items()}),
        ),
        "msi_score": facts(last, in_figures(last["msi_score"].where(last["msi_score"] >= 0))),
        "msi_comment": facts(last, last["msi_comment"].where(last["msi_comment"] != "")),
        "tmb": facts(last, bands, number=in_figures(burden)),
        "tmb_value": facts(last, in_figures(burden)),
    }


def alterations(specimens: pd.DataFrame, tables: Tables, shown: int) -> dict[str, pd.DataFrame]:
    """Mutations, copy-number calls and structural variants of all known specimens, at most `shown` of each kind."""
    found, left = {}, []
    kinds = {"mutation": _mutations(tables), "copy_number": _copy_number(tables), "structural_variant": _structural_variants(tables)}
    wanted = specimens["sample_id"].unique()
    for field, rows in kinds.items():
        rows = rows[rows["sample_id"].isin(wanted)]
        joined = specimens[["case", "sample_id", "days_before_index"]].merge(rows, on="sample_id").drop_duplicates(["case", "value"])
        joined = joined.iloc[
            np.lexsort([pd.factorize(joined["value"], sort=True)[0], joined["place"].to_numpy(), joined["case"].to_numpy()])
        ]
        place = joined.groupby("case", sort=False).cumcount()
        kept = joined[place < shown]
        found[field] = facts(kept, kept["value"], **({"kind": kept["kind"]} if "kind" in kept else {}))
        more = place[place >= shown].groupby(joined["case"]).size().reset_index(name="number")
        left.append(facts(more, more["number"].astype(str) + f" further {LISTED_AS[field]} not listed"))
    found["not_listed"] = pd.concat(left, ignore_index=True)
    found["genomics_status"] = _status(specimens, found)
    return found


def _status(specimens: pd.DataFrame, found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Where a known specimen shows nothing, that it does; of a specimen that is not known yet nothing is said."""
    altered = pd.concat([frame["case"] for frame in found.values()])
    quiet = closest(specimens[~specimens["case"].isin(altered)])[["case"]]
    return facts(quiet, pd.Series("none", index=quiet.index), reading="no alteration found in the sequenced genes")


def _placed(rows: pd.DataFrame, gene: pd.Series) -> pd.DataFrame:
    """Rows with the rank of their gene in the list of what comes first."""
    rank = {name: number for number, name in enumerate(LISTED_FIRST)}
    return rows.assign(place=gene.map(rank).fillna(len(rank)).astype(int))


def _mutations(tables: Tables) -> pd.DataFrame:
    """Mutations that change a protein: `KRAS G12D`; `TERT promoter` and the like, where no protein change is given, by the gene alone."""
    rows = tables["mutations"]
    rows = rows[~rows["variant_classification"].isin(SILENT)]
    change = rows["hgvsp_short"].fillna("").str.removeprefix("p.")
    value = (rows["hugo_symbol"] + " " + change).str.strip()
    return _placed(pd.DataFrame({"sample_id": rows["tumor_sample_barcode"], "value": value}), rows["hugo_symbol"])


def _copy_number(tables: Tables) -> pd.DataFrame:
    """High amplifications and deep deletions."""
    rows = tables["cna"]
    rows = rows[rows["call"].isin([2.0, -2.0])]
    value = rows["gene"] + np.where(rows["call"] > 0, " amplification", " deletion")
    return _placed(pd.DataFrame({"sample_id": rows["sample_id"], "value": value}), rows["gene"])


def _structural_variants(tables: Tables) -> pd.DataFrame:
    """Fusions of two genes, partners in alphabetical order; one gene alone is a rearrangement."""
    rows = tables["sv"]
    rows = rows[rows["site1_hugo_symbol"].notna() | rows["site2_hugo_symbol"].notna()]
    first = rows["site1_hugo_symbol"].fillna(rows["site2_hugo_symbol"]).astype(str)
    second = rows["site2_hugo_symbol"].fillna(rows["site1_hugo_symbol"]).astype(str)
    alone = first == second
    low, high = first.where(first <= second, second), second.where(first <= second, first)
    inside = "intragenic " + rows["class"].fillna("rearrangement").str.lower()
    kind = (
        pd.Series("fusion", index=rows.index, dtype=object)
        .mask(alone, inside)
        .mask(rows[["site1_hugo_symbol", "site2_hugo_symbol"]].isna().any(axis=1), "rearrangement")
    )
    value = low.where(alone, low + "-" + high)
    placed = _placed(pd.DataFrame({"sample_id": rows["sample_id"], "value": value, "kind": kind}), low)
    return placed.assign(place=np.minimum(placed["place"], _placed(placed, high)["place"]))
