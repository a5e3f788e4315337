"""The portal's rules for genomic files, panels and timelines (see `portal_format`)."""

from __future__ import annotations

import re
from pathlib import Path

from .portal_format import fields_of, header_of, is_number, rows_of

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
SHAPES = {"SNP": 1, "DNP": 2, "TNP": 3}
VARIANT_KEY = ("Sample_Id", "Site1_Hugo_Symbol", "Site1_Chromosome", "Site1_Position", "Site2_Hugo_Symbol", "Site2_Chromosome")
VARIANT_KEY += ("Site2_Position", "Event_Info")
NOT_LOADED = {"Silent", "Intron", "3'UTR", "3'Flank", "5'UTR", "5'Flank", "IGR", "RNA"}
MUTATION_KEY = (
    "Entrez_Gene_Id",
    "Chromosome",
    "Start_Position",
    "End_Position",
    "Variant_Classification",
    "Tumor_Seq_Allele2",
    "HGVSp_Short",
    "Tumor_Sample_Barcode",
)
# Lengths of the chromosomes of GRCh37 in bases (UCSC hg19).
CHROMOSOME_LENGTHS = """
1 249250621 2 243199373 3 198022430 4 191154276 5 180915260 6 171115067 7 159138663 8 146364022 9 141213431 10 135534747
11 135006516 12 133851895 13 115169878 14 107349540 15 102531392 16 90354753 17 81195210 18 78077248 19 59128983 20 63025520
21 48129895 22 51304566 X 155270560 Y 59373566 23 155270560 24 59373566
"""
CHROMOSOMES = {name: int(length) for name, length in re.findall(r"(\w+) (\d+)", CHROMOSOME_LENGTHS)}


def mutation_breaches(study: Path, samples: set[str]) -> list[str]:
    """MAF: needed columns, known specimens, whole positions and counts, GRCh37, one change a row, no duplicate."""
    path, seen, found = study / "data_mutations.txt", set(), []
    needed = {"Tumor_Sample_Barcode", "Hugo_Symbol", "Variant_Classification", "HGVSp_Short"}
    if missing := needed - set(header_of(path)[1]):
        return [f"{path.name}: lacks {sorted(missing)}"]
    for number, row in rows_of(path):
        if row["Variant_Classification"] in NOT_LOADED:
            continue
        key = tuple(row.get(column, "").strip() for column in MUTATION_KEY)
        wrong = [column for column in ("Start_Position", "End_Position") if not row[column].isdigit()]
        wrong += [column for column in ("t_alt_count", "t_ref_count", "n_alt_count", "n_ref_count") if not _is_count(row[column])]
        wrong += ["Tumor_Sample_Barcode"] if row["Tumor_Sample_Barcode"] not in samples else []
        wrong += ["Hugo_Symbol"] if not row["Hugo_Symbol"].strip() else []
        wrong += ["Entrez_Gene_Id"] if row["Entrez_Gene_Id"].lstrip("-").isdigit() and int(row["Entrez_Gene_Id"]) < 0 else []
        wrong += ["NCBI_Build"] if row["NCBI_Build"] not in {"", "37", "GRCh37"} else []
        change = row["HGVSp_Short"]
        wrong += ["HGVSp_Short"] if len(change) > 255 or "p." in change[1:] or set(";,") & set(change) else []
        wrong += ["Variant_Classification"] if not row["Variant_Classification"].strip() else []
        wrong += ["duplicate"] if key in seen else []
        seen.add(key)
        found += [f"{path.name}: line {number}: {what}" for what in (*wrong, *_allele_breaches(row))]
    return found


def _is_count(cell: str) -> bool:
    return cell in {"", "."} or cell.strip().lstrip("-").isdigit()


def _allele_breaches(row: dict[str, str]) -> list[str]:
    """Alleles in A, C, G, T and -, positions that fit the kind of variant: errors in the portal's strict mode."""
    alleles = [row[column].strip() for column in ("Reference_Allele", "Tumor_Seq_Allele1", "Tumor_Seq_Allele2")]
    kind, start, end = row["Variant_Type"], int(row["Start_Position"] or 0), int(row["End_Position"] or 0)
    wrong = [] if all(set(allele) <= set("ACGT-") and allele for allele in alleles) else ["alleles"]
    wrong += [] if start <= end else ["positions"]
    reference = alleles[0]
    if kind in SHAPES and (any(len(allele) != SHAPES[kind] for allele in alleles) or "-" in "".join(alleles)):
        wrong.append(f"alleles of a {kind}")
    if kind == "INS" and (end - start not in (1, len(reference) - 1) or len(reference) > max(map(len, alleles[1:]))):
        wrong.append("an insertion's positions or alleles")
    if kind == "DEL" and (end - start + 1 != len(reference) or len(reference) < max(map(len, alleles[1:]))):
        wrong.append("a deletion's positions or alleles")
    return wrong


def matrix_breaches(study: Path, samples: set[str]) -> list[str]:
    """Copy number: the gene first, known specimens, each gene once, the six calls or NA, spelt exactly so."""
    path = study / "data_cna.txt"
    names = header_of(path)[1]
    if names[0] != "Hugo_Symbol":
        return [f"{path.name}: the first column is not Hugo_Symbol"]
    found = [f"{path.name}: {name} is no specimen" for name in names[1:] if name not in samples and name != "Entrez_Gene_Id"]
    seen = set()
    for number, row in rows_of(path):
        gene = row.pop("Hugo_Symbol").strip()
        if not gene or gene in seen:
            found.append(f"{path.name}: line {number}: gene")
        seen.add(gene)
        if not set(row.values()) <= {"-2", "-1.5", "-1", "0", "1", "2", "NA"}:
            found.append(f"{path.name}: line {number}: call")
    return found


def segment_breaches(study: Path, samples: set[str]) -> list[str]:
    """Segments: six columns in order, no blank, inside the chromosome, start not after the end."""
    path = study / "data_cna_hg19.seg"
    if header_of(path)[1] != ["ID", "chrom", "loc.start", "loc.end", "num.mark", "seg.mean"]:
        return [f"{path.name}: columns"]
    found = []
    for number, row in rows_of(path):
        start, end = row["loc.start"], row["loc.end"]
        inside = start.isdigit() and end.isdigit() and int(start) <= int(end) <= CHROMOSOMES.get(row["chrom"], -1)
        if row["ID"] not in samples or not inside or not row["num.mark"].isdigit() or not is_number(row["seg.mean"]):
            found.append(f"{path.name}: line {number}")
    return found


def variant_breaches(study: Path, samples: set[str]) -> list[str]:
    """Structural variants: known specimen, SOMATIC or GERMLINE, one known build, at least one gene, no duplicate."""
    path, seen, builds, found = study / "data_sv.txt", set(), set(), []
    if missing := {"Sample_Id", "SV_Status", "Site1_Hugo_Symbol", "Site2_Hugo_Symbol"} - set(header_of(path)[1]):
        return [f"{path.name}: lacks {sorted(missing)}"]
    for number, row in rows_of(path):
        key = tuple(row[column] for column in VARIANT_KEY)
        builds.add(row["NCBI_Build"].lower())
        genes = {row["Site1_Hugo_Symbol"].strip(), row["Site2_Hugo_Symbol"].strip()} - {"", "NA", "Unknown", "0"}
        known = row["Sample_Id"] in samples and row["SV_Status"].upper() in {"SOMATIC", "GERMLINE"}
        if not known or not genes or key in seen:
            found.append(f"{path.name}: line {number}")
        seen.add(key)
    return found + ([] if builds <= {"grch37"} or builds <= {"grch38"} else [f"{path.name}: builds {sorted(builds)}"])


def panel_breaches(study: Path, samples: set[str], lists: dict[str, dict[str, str]]) -> list[str]:
    """Panels: no blank, each specimen known and once, every profile a stable id, panelled for mutations = in `sequenced`."""
    path = study / "data_gene_panel_matrix.txt"
    names = header_of(path)[1]
    stable = {fields_of(meta).get("stable_id") for meta in study.glob("meta_*")}
    found = [f"{path.name}: {name} is no profile" for name in names[1:] if name not in stable]
    sequenced = set(lists.get("sequenced", {}).get("case_list_ids", "").split("\t"))
    seen = set()
    for number, row in rows_of(path):
        sample = row["SAMPLE_ID"]
        listed = row.get("mutations") == "NA" or sample in sequenced
        if sample in seen or sample not in samples or not listed or not all(cell.strip() for cell in row.values()):
            found.append(f"{path.name}: line {number}")
        seen.add(sample)
    return found


def timeline_breaches(study: Path, patients: set[str]) -> list[str]:
    """Timelines: the first four columns in order, whole days, a patient with specimens, colours where there is a column of them."""
    found = []
    for path in sorted(study.glob("data_timeline_*.txt")):
        names = header_of(path)[1]
        if names[:4] != ["PATIENT_ID", "START_DATE", "STOP_DATE", "EVENT_TYPE"]:
            found.append(f"{path.name}: columns")
            continue
        for number, row in rows_of(path):
            wrong = ["PATIENT_ID"] if row["PATIENT_ID"] not in patients else []
            wrong += ["START_DATE"] if not re.fullmatch(r"-?\d+", row["START_DATE"].strip()) else []
            wrong += ["STOP_DATE"] if not re.fullmatch(r"(-?\d+)?", row["STOP_DATE"].strip()) else []
            wrong += ["EVENT_TYPE"] if not row["EVENT_TYPE"].strip() else []
            wrong += ["STYLE_COLOR"] if not COLOUR.fullmatch(row.get("STYLE_COLOR", "#000000").strip()) else []
            found += [f"{path.name}: line {number}: {what}" for what in wrong]
    return found
