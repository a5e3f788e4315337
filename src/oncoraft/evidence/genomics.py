"""Facts from sequenced specimens: only those sequenced (or acquired, by setting) by the index date, of the case's own cancer type."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.evidence.allow_list import SPECIMEN_TABLES
from oncoraft.evidence.known import Tables, closest, facts, in_figures, known_records
from oncoraft.evidence.words import clean
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.protein_changes import is_silent_class, is_unchanged, protein_change

NORMAL_CHANGE = r"^[A-WY][0-9]+[A-WY*]$"  # one residue for another, or a stop: the normal form of most protein changes
TMB_BANDS = [-np.inf, 2, 6, 10, np.inf]
MSI = {"Stable": ("stable", "microsatellite stable"), "Instable": ("instable", "microsatellite instability high")}
SPECIMENS = {
    "Primary": "specimen of the primary tumour",
    "Metastasis": "specimen of a metastasis",
    "Local Recurrence": "specimen of a local recurrence",
}
# Kind of alteration -> what each specimen was profiled for, how it reads that a profiled one shows none.
PROFILED_FOR = {"mutation": "mutations", "copy_number": "copy_number", "structural_variant": "structural_variants"}
NONE_FOUND = {
    "mutation": "no mutation found in the sequenced genes",
    "copy_number": "no copy-number alteration found in the sequenced genes",
    "structural_variant": "no structural variant found in the sequenced genes",
}
# Kind -> the table of which any row tells of an alteration, listed or not; a mutation that changes no protein is none.
UNLISTED = {"copy_number": "cna", "structural_variant": "sv"}
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
    # A specimen without a cancer type is not known to be of another cancer.
    found = found[(found["cancer_type"] == own) | found["cancer_type"].isna()]
    # lexsort takes its last key first: case, then the latest, and of one day the lower id, so that rows in another order tell the same.
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
        "specimen_site": facts(last, clean(site)),
        "organ": facts(last, last["primary_site"].where(last["primary_site"] != "")),
        "specimen_histology": facts(last, last["cancer_type_detailed"].str.lower()),
        "tumor_purity": facts(last, in_figures(purity)),
        "msi": facts(
            last,
            last["msi_type"].map({word: value for word, (value, _) in MSI.items()}),
            reading=last["msi_type"].map({word: text for word, (_, text) in MSI.items()}),
        ),
        # The source writes -1 where none was computed (docs/tables.md).
        "msi_score": facts(last, in_figures(last["msi_score"].where(last["msi_score"] >= 0))),
        "msi_comment": facts(last, last["msi_comment"].where(last["msi_comment"] != "")),
        "tmb": facts(last, bands, number=in_figures(burden)),
        "tmb_value": facts(last, in_figures(burden)),
    }


def alterations(specimens: pd.DataFrame, tables: Tables, shown: int) -> dict[str, pd.DataFrame]:
    """Mutations, copy-number calls and structural variants of all known specimens, at most `shown` of each kind, and what was looked for."""
    found, left = {}, []
    kinds = {"mutation": _mutations, "copy_number": _copy_number, "structural_variant": _structural_variants}
    known = specimens[["case", "sample_id", "days_before_index"]]
    for field, read in kinds.items():
        joined = known.merge(read(tables, known["sample_id"]), on="sample_id")
        # What two specimens or two rows tell of one alteration is told once; a fusion comes before a mere rearrangement of the same pair.
        words = ("value", "name") if field == "structural_variant" else ("name",)  # of the others the name is the value
        *order, name = [pd.factorize(joined[word], sort=True)[0] for word in words]
        sequence = np.lexsort([*order, name, joined["place"].to_numpy(), joined["case"].to_numpy()])
        joined = joined.assign(number=name).iloc[sequence].drop_duplicates(["case", "number"])
        place = joined.groupby("case", sort=False).cumcount()
        kept = joined[place < shown]
        found[field] = facts(kept, kept["value"])
        # What is there and not listed (a gain, a shallow loss, a rearrangement without its genes) is no alteration's absence either.
        unlisted = known["sample_id"].isin(tables[UNLISTED[field]]["sample_id"] if field in UNLISTED else [])
        altered = {*joined["case"], *known.loc[unlisted, "case"]}
        found[f"{PROFILED_FOR[field]}_profiled"] = _profiled(specimens, tables, field, altered)
        more = place[place >= shown].groupby(joined["case"]).size().reset_index(name="number")
        left.append(facts(more, more["number"].astype(str) + f" further {LISTED_AS[field]} not listed"))
    found["not_listed"] = pd.concat(left, ignore_index=True)
    return found


def _profiled(specimens: pd.DataFrame, tables: Tables, field: str, altered: Collection[int]) -> pd.DataFrame:
    """What is known of one kind of alteration where a specimen is known: found, looked for and not found, or not looked for.

    Only the second reads as a sentence: the first is told by the findings, and of the third nothing may be said.
    """
    rows = tables["profiled"]
    looked_for = specimens["sample_id"].isin(rows.loc[rows[PROFILED_FOR[field]].eq(True), "sample_id"])
    last = closest(specimens)
    value = np.select(
        [last["case"].isin(list(altered)), last["case"].isin(specimens.loc[looked_for, "case"])], ["found", "none found"], "not profiled"
    )
    told = pd.Series(value, index=last.index)
    return facts(last, told, reading=told.map({"none found": NONE_FOUND[field]}).fillna(""))


def _placed(rows: pd.DataFrame, gene: pd.Series) -> pd.DataFrame:
    """Rows with the rank of their gene in the list of what comes first."""
    rank = {name: number for number, name in enumerate(LISTED_FIRST)}
    return rows.assign(place=gene.map(rank).fillna(len(rank)).astype(int))


def _mutations(tables: Tables, samples: pd.Series) -> pd.DataFrame:
    """Mutations that change a protein: `KRAS G12D`; where no protein change is given, by the gene alone."""
    rows = tables["mutations"]
    rows = rows[rows["tumor_sample_barcode"].isin(samples)]
    kind = rows["variant_classification"].map({word: is_silent_class(word) for word in rows["variant_classification"].dropna().unique()})
    # Tables hold the normal form already; those of an older reader may not.
    code, texts = pd.factorize(rows["hgvsp_short"])
    changes = [*_protein_changes(texts), ""]  # a missing one has the code -1, which is the last place
    silent = kind.eq(True) | np.array([is_unchanged(change) for change in changes])[code]
    value = (rows["hugo_symbol"] + " " + np.array(changes, dtype=object)[code]).str.strip()
    found = pd.DataFrame({"sample_id": rows["tumor_sample_barcode"], "name": value, "value": value})
    return _placed(found, rows["hugo_symbol"])[~silent]


def _protein_changes(texts: pd.Index) -> list[str]:
    """`protein_change` of each; empty where none is told. That most stand in normal form is seen of all of them at once."""
    column = pa.array(texts, pa.string())
    first, last = pc.utf8_slice_codeunits(column, 0, 1), pc.utf8_slice_codeunits(column, -1)
    is_normal = pc.and_(pc.match_substring_regex(column, NORMAL_CHANGE), pc.not_equal(first, last))
    return [
        text if is_same else protein_change(text) or "" for text, is_same in zip(column.to_pylist(), is_normal.to_pylist(), strict=True)
    ]


def _copy_number(tables: Tables, samples: pd.Series) -> pd.DataFrame:
    """High amplifications and deep deletions."""
    rows = tables["cna"]
    # The portal's discrete calls: 2 is a high-level amplification, -2 a deep deletion; 1 is a low-level gain, -1 a shallow deletion.
    rows = rows[rows["call"].isin([2.0, -2.0]) & rows["sample_id"].isin(samples)]
    value = rows["gene"] + np.where(rows["call"] > 0, " amplification", " deletion")
    return _placed(pd.DataFrame({"sample_id": rows["sample_id"], "name": value, "value": value}), rows["gene"])


def _told(words: pd.Series) -> pd.Series:
    """Words, null where they are missing or say so: tables of an older reader may hold such words."""
    return words.where(~words.map({word: is_missing_word(word) for word in words.dropna().unique()}).eq(True))


def _structural_variants(tables: Tables, samples: pd.Series) -> pd.DataFrame:
    """Rearrangements, partners in alphabetical order; a fusion is one of two genes that the source calls so.

    The source calls a fusion so in its class or in its account of the event, or says that the frame is kept; an antisense fusion, or
    one out of frame, makes no fusion protein.
    """
    rows = tables["sv"]
    rows = rows[rows["sample_id"].isin(samples)]
    sites = [_told(rows[name]) for name in ("site1_hugo_symbol", "site2_hugo_symbol")]
    both, any_known = sites[0].notna() & sites[1].notna(), sites[0].notna() | sites[1].notna()
    first, second = (one.where(one.notna(), other).astype(str) for one, other in (sites, sites[::-1]))
    alone = first == second
    low, high = first.where(first <= second, second), second.where(first <= second, first)
    kind, event, frame = (rows[name].fillna("").str.lower() for name in ("class", "event_info", "site2_effect_on_frame"))
    told = event.str.contains("fusion") & ~event.str.contains(r"antisense|out[ -]of[ -]frame")
    fused = both & ~alone & (kind.str.contains("fusion") | told | frame.str.contains(r"^in[ _-]?frame"))
    inside = "intragenic " + kind.where(~kind.str.contains("fusion") & _told(kind).notna(), "rearrangement")
    how = inside.where(both & alone, "rearrangement").mask(fused, "fusion")
    pair = low.where(alone, low + "-" + high)
    value = pair + " " + how
    found = _placed(pd.DataFrame({"sample_id": rows["sample_id"], "name": pair.where(~alone, value), "value": value}), low)
    return found.assign(place=np.minimum(found["place"], _placed(found, high)["place"]))[any_known]
