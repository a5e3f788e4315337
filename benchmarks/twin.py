"""The twin beside the published cohort: time, memory, file sizes, and marginals.

    python benchmarks/twin.py [--patients 24950] [--seed 1] [--work FOLDER] [--write docs/twin.md]

Makes a twin, reads it with `oncoraft ingest`, and prints two Markdown tables. With `--write` they replace what stands between the
markers of the page. Published numbers are aggregates of MSK-CHORD: file sizes and counts of the release of 2026-07, and summary
tables of Jee et al., Nature 2024 (doi 10.1038/s41586-024-08167-5), rounded; none of them is a row.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter

TYPES = ("Non-Small Cell Lung Cancer", "Breast Cancer", "Colorectal Cancer", "Prostate Cancer", "Pancreatic Cancer")
BEGIN, END = "<!-- made by benchmarks/twin.py: begin -->", "<!-- made by benchmarks/twin.py: end -->"
SIZES = {
    "data_clinical_patient.txt": 4076821, "data_clinical_sample.txt": 6775596, "data_cna.txt": 39653939, "data_cna_hg19.seg": 65862086,
    "data_gene_panel_matrix.txt": 1202000, "data_mutations.txt": 71324509, "data_sv.txt": 2061840, "data_timeline_ca_15-3_labs.txt": 5727183,
    "data_timeline_ca_19-9_labs.txt": 2220733, "data_timeline_cea_labs.txt": 11960427, "data_timeline_psa_labs.txt": 4455613,
    "data_timeline_cancer_presence.txt": 34866269, "data_timeline_diagnosis.txt": 4405250, "data_timeline_gleason.txt": 324959,
    "data_timeline_mmr.txt": 222987, "data_timeline_pdl1.txt": 301593, "data_timeline_performance_status.txt": 8534028,
    "data_timeline_prior_meds.txt": 1974828, "data_timeline_progression.txt": 25417957, "data_timeline_radiation.txt": 1259843,
    "data_timeline_specimen.txt": 1076944, "data_timeline_specimen_surgery.txt": 1373695, "data_timeline_surgery.txt": 2446986,
    "data_timeline_treatment.txt": 7137450, "data_timeline_tumor_sites.txt": 41610419,
}  # fmt: skip
RELEASED_PATIENTS = 24_950
# What is compared: published values by cancer type in the order of `TYPES`.
PUBLISHED: dict[str, tuple[float, ...]] = {
    "share of patients": (0.313, 0.215, 0.222, 0.129, 0.125),
    "male": (0.415, 0.011, 0.541, 1.0, 0.517),
    "mean age at sequencing": (67.3, 56.2, 57.8, 67.4, 65.5),
    "ever smoked": (0.696, 0.312, 0.372, 0.402, 0.410),
    "highest stage 4": (0.438, 0.205, 0.428, 0.489, 0.433),
    "median days from diagnosis to sequencing": (53, 433, 130, 568, 86),
    "survival at 12 months": (0.749, 0.870, 0.856, 0.894, 0.622),
    "survival at 24 months": (0.611, 0.759, 0.715, 0.796, 0.390),
    "median survival, months": (39.9, 85.2, 53.1, 83.4, 17.7),
    "median survival, stage 1-3": (79.9, 96.5, 98.4, 102.8, 24.3),
    "median survival, stage 4": (18.9, 48.4, 29.2, 70.7, 10.8),
    "died": (0.509, 0.371, 0.401, 0.324, 0.682),
    "TP53": (0.513, 0.407, 0.746, 0.279, 0.664),
    "KRAS": (0.287, 0.017, 0.429, 0.010, 0.809),
    "EGFR": (0.241, 0.013, 0.019, 0.003, 0.003),
    "PIK3CA": (0.060, 0.351, 0.186, 0.040, 0.017),
    "PTEN": (0.033, 0.075, 0.067, 0.164, 0.014),
    "ERBB2": (0.035, 0.146, 0.052, 0.002, 0.011),
    "specimens with a structural variant": (0.23, 0.22, 0.13, 0.40, 0.12),
    "median mutations per megabase": (5.2, 3.3, 6.1, 2.2, 3.5),
    "mean mutations per megabase": (7.5, 4.2, 13.6, 3.6, 3.9),
    "MSI instable": (0.004, 0.003, 0.103, 0.017, 0.005),
    "metastasis specimens": (0.356, 0.440, 0.281, 0.353, 0.370),
    "treated": (0.79, 0.97, 0.86, 0.88, 0.89),
    "treatment rows per treated, median": (4, 6, 5, 5, 6),
    "any immunotherapy": (0.42, 0.04, 0.05, 0.05, 0.03),
    "any targeted agent": (0.35, 0.43, 0.09, 0.11, 0.09),
    "any biologic": (0.26, 0.25, 0.42, 0.03, 0.02),
    "any trial drug": (0.26, 0.21, 0.11, 0.24, 0.19),
    "progression read after sequencing": (0.206, 0.244, 0.235, 0.236, 0.303),
    "share of CT": (0.66, 0.35, 0.76, 0.53, 0.84),
    "ever liver": (0.296, 0.433, 0.562, 0.197, 0.663),
    "ever bone": (0.485, 0.546, 0.215, 0.625, 0.196),
    "ever brain": (0.357, 0.294, 0.102, 0.221, 0.056),
    "ever lung": (0.922, 0.425, 0.508, 0.353, 0.397),
    "ever lymph nodes": (0.694, 0.599, 0.643, 0.629, 0.462),
    "any radiation": (0.53, 0.62, 0.33, 0.63, 0.31),
    "any surgery": (0.88, 0.89, 0.85, 0.82, 0.83),
    "mismatch repair tested": (0.014, 0.017, 0.758, 0.027, 0.071),
    "PD-L1 tested": (0.565, 0.063, 0.009, 0.007, 0.012),
    "Gleason score on record": (0.02, 0.0, 0.01, 0.915, 0.02),
    "prior treatment elsewhere": (0.15, 0.23, 0.20, 0.23, 0.17),
}
# Of the whole cohort.
OVERALL = {
    "progression Y": 0.21, "progression Indeterminate": 0.18, "cancer present Y": 0.63, "cancer present N": 0.34, "ECOG 0": 0.44, "ECOG 1": 0.45,
    "ECOG 2": 0.085, "reports per patient": 16.0, "sites per report": 1.27, "panel IMPACT468": 0.515, "panel IMPACT505": 0.286, "panel IMPACT410": 0.159,
    "median CEA": 4.0, "median CA 15-3": 25, "median CA 19-9": 81, "median PSA": 1.08, "rows of trial drugs": 0.056, "chemotherapy rows": 0.54,
    "hormone rows": 0.20, "median follow-up, months": 24.6, "acquired on the sequencing day": 0.21, "median days from acquisition to sequencing": 36,
    "specimens with a mutation": 0.953,
}  # fmt: skip

Tables = dict[str, pd.DataFrame]


class Study:
    """Tables of an ingested twin, read when first asked for, and each patient's cancer type."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.read = folder, {}
        samples, specimens = self["clinical_sample"], self["timeline_specimen"]
        first = specimens.sort_values(["patient_id", "start_day", "sample_id"]).drop_duplicates("patient_id")
        types = first.merge(samples[["sample_id", "cancer_type"]], on="sample_id").set_index("patient_id")["cancer_type"]
        self.patients = self["clinical_patient"].assign(cancer_type=lambda frame: frame["patient_id"].map(types))
        self.type_of = types

    read: Tables

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.read:
            self.read[name] = pd.read_parquet(self.folder / f"{name}.parquet")
        return self.read[name]

    def of_type(self, name: str, cancer_type: str) -> pd.DataFrame:
        """A table's rows of the patients of one cancer type."""
        frame = self[name]
        return frame[frame["patient_id"].map(self.type_of).eq(cancer_type)]


def survival(patients: pd.DataFrame) -> KaplanMeierFitter:
    """Kaplan-Meier from sequencing, in months."""
    return KaplanMeierFitter().fit(patients["os_months"], patients["is_deceased"])


def by_type(study: Study, cancer_type: str) -> dict[str, float]:
    """Every marginal of one cancer type."""
    patients = study.patients[study.patients["cancer_type"] == cancer_type]
    count = len(patients)
    found: dict[str, float] = {"share of patients": count / len(study.patients), "male": patients["gender"].eq("Male").mean()}
    found["mean age at sequencing"] = (patients["current_age_deid"] - patients["os_days"] / 365.25).mean()
    found["ever smoked"] = patients["smoking_predictions_3_classes"].eq("Former/Current Smoker").mean()
    found["highest stage 4"] = patients["stage_highest_recorded"].eq("Stage 4").mean()
    found["died"] = patients["is_deceased"].mean()
    found["prior treatment elsewhere"] = patients["prior_med_to_msk"].eq("Prior medications to MSK").mean()
    for words, column in (("liver", "liver"), ("bone", "bone"), ("brain", "cns_brain"), ("lung", "lung"), ("lymph nodes", "lymph_nodes")):
        found[f"ever {words}"] = patients[column].eq("Yes").mean()
    fitted = survival(patients)
    found |= {f"survival at {months} months": float(fitted.predict(months)) for months in (12, 24)}
    found["median survival, months"] = fitted.median_survival_time_
    for words in ("1-3", "4"):
        found[f"median survival, stage {words}"] = survival(
            patients[patients["stage_highest_recorded"] == f"Stage {words}"]
        ).median_survival_time_
    return found | genomics(study, cancer_type) | care(study, cancer_type, count)


def genomics(study: Study, cancer_type: str) -> dict[str, float]:
    """Genes altered (mutation, copy number or structural variant), burden, MSI, kind of specimen."""
    samples = study["clinical_sample"]
    samples = samples[samples["cancer_type"] == cancer_type]
    ids = set(samples["sample_id"])
    mutations, calls, variants = study["mutations"], study["cna"], study["sv"]
    silent = mutations["variant_classification"].isin(["Silent", "Intron", "5'Flank"])
    found = {}
    for gene in ("TP53", "KRAS", "EGFR", "PIK3CA", "PTEN", "ERBB2"):
        altered = set(mutations.loc[mutations["hugo_symbol"].eq(gene) & ~silent, "tumor_sample_barcode"])
        altered |= set(calls.loc[calls["gene"].eq(gene), "sample_id"])
        found[gene] = len(altered & ids) / len(ids)
    found["specimens with a structural variant"] = len(set(variants["sample_id"]) & ids) / len(ids)
    found["median mutations per megabase"] = samples["tmb_nonsynonymous"].median()
    found["mean mutations per megabase"] = samples["tmb_nonsynonymous"].mean()
    found["MSI instable"] = samples["msi_type"].eq("Instable").mean()
    found["metastasis specimens"] = samples["sample_type"].eq("Metastasis").mean()
    return found


def care(study: Study, cancer_type: str, count: int) -> dict[str, float]:
    """Treatment, imaging, pathology and procedures."""
    treatment = study.of_type("timeline_treatment", cancer_type)
    rows = treatment.groupby("patient_id").size()
    found = {"treated": len(rows) / count, "treatment rows per treated, median": rows.median()}
    kinds = {"immunotherapy": "Immuno", "targeted agent": "Targeted", "biologic": "Biologic", "trial drug": "Investigational"}
    for words, subtype in kinds.items():
        found[f"any {words}"] = treatment.loc[treatment["subtype"] == subtype, "patient_id"].nunique() / len(rows)
    scans = study.of_type("timeline_progression", cancer_type)
    found["progression read after sequencing"] = scans.loc[scans["start_day"] >= 0, "progression"].eq("Y").mean()
    found["share of CT"] = scans["procedure_type"].eq("CT").mean()
    tables = {
        "any radiation": "radiation", "any surgery": "surgery", "mismatch repair tested": "mmr", "PD-L1 tested": "pdl1", "Gleason score on record": "gleason",
    }  # fmt: skip
    for words, name in tables.items():
        found[words] = study.of_type(f"timeline_{name}", cancer_type)["patient_id"].nunique() / count
    diagnosis = study.of_type("timeline_diagnosis", cancer_type).groupby("patient_id")["start_day"].min()
    found["median days from diagnosis to sequencing"] = float(-diagnosis.median())
    return found


def overall(study: Study) -> dict[str, float]:
    """Marginals of the whole cohort."""
    progression, presence = study["timeline_progression"]["progression"], study["timeline_cancer_presence"]["has_cancer"]
    ecog, treatment, samples = study["timeline_performance_status"]["ecog"], study["timeline_treatment"], study["clinical_sample"]
    found = {"progression Y": progression.eq("Y").mean(), "progression Indeterminate": progression.eq("Indeterminate").mean()}
    found |= {"cancer present Y": presence.eq("Y").mean(), "cancer present N": presence.eq("N").mean()}
    found |= {f"ECOG {score}": ecog.eq(score).mean() for score in range(3)}
    found["reports per patient"] = len(progression) / len(study.patients)
    found["sites per report"] = len(study["timeline_tumor_sites"]) / len(presence)
    found |= {f"panel {name}": samples["gene_panel"].eq(name).mean() for name in ("IMPACT468", "IMPACT505", "IMPACT410")}
    for words in ("CEA", "CA 15-3", "CA 19-9", "PSA"):
        found[f"median {words}"] = study[f"timeline_{words.lower().replace(' ', '_').replace('-', '_')}_labs"]["result"].median()
    subtype = treatment["subtype"]
    found |= {"rows of trial drugs": subtype.eq("Investigational").mean(), "chemotherapy rows": subtype.eq("Chemo").mean()}
    found["hormone rows"] = subtype.eq("Hormone").mean()
    found["median follow-up, months"] = study.patients["os_months"].median()
    lag = study["timeline_specimen_surgery"].eval("sequencing_day - start_day")
    found |= {"acquired on the sequencing day": lag.eq(0).mean(), "median days from acquisition to sequencing": lag.median()}
    found["specimens with a mutation"] = study["mutations"]["tumor_sample_barcode"].nunique() / len(samples)
    return found


def number(value: float) -> str:
    """A number for a table: three digits below ten, whole above a hundred."""
    if not np.isfinite(value):
        return "not reached"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def marginals_table(study: Study) -> list[str]:
    """The compare table in Markdown: twin / published, by cancer type, then of the whole cohort."""
    ours = [by_type(study, name) for name in TYPES]
    lines = ["| twin / published | " + " | ".join(("NSCLC", "breast", "colorectal", "prostate", "pancreas")) + " |", "|---|" + "---|" * 5]
    for words, published in PUBLISHED.items():
        cells = [f"{number(own[words])} / {number(value)}" for own, value in zip(ours, published, strict=True)]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    whole = overall(study)
    lines += ["", "| whole cohort | twin | published |", "|---|---|---|"]
    return lines + [f"| {words} | {number(whole[words])} | {number(value)} |" for words, value in OVERALL.items()]


def sizes_table(folder: Path, patients: int) -> list[str]:
    """File sizes in Markdown; smaller twins are scaled to the released number of patients."""
    lines = ["| file | twin, MB | released, MB | ratio |", "|---|---|---|---|"]
    scale = RELEASED_PATIENTS / patients
    total = 0.0
    for name, released in SIZES.items():
        size = (folder / name).stat().st_size * scale
        total += size
        lines.append(f"| {name} | {size / 1e6:.2f} | {released / 1e6:.2f} | {size / released:.2f} |")
    return [*lines, f"| all | {total / 1e6:.1f} | {sum(SIZES.values()) / 1e6:.1f} | {total / sum(SIZES.values()):.2f} |"]


def timed(command: list[str]) -> float:
    """Seconds that a step of the package takes."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "oncoraft", *command], check=True)
    return time.monotonic() - started


def measure(patients: int, seed: int, work: Path, note: Callable[[str], None]) -> list[str]:
    """Make, read, compare; the lines to print."""
    taken = timed(
        ["twin", "--patients", str(patients), "--seed", str(seed), "--out", str(work / "study"), "--truth", str(work / "truth.parquet")]
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    note(f"made in {taken:.0f} s")
    timed(["ingest", str(work / "study"), "--out", str(work / "tables")])
    head = f"{patients} patients, seed {seed}: made in {taken:.0f} s with up to two processes on {os.cpu_count()} cores, largest process {peak:.2f} GiB."
    return [head, "", *sizes_table(work / "study", patients), "", *marginals_table(Study(work / "tables"))]


def replace_between(text: str, lines: list[str]) -> str:
    """A page with what stands between the markers replaced."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after


def main() -> int:
    """Measure; print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=RELEASED_PATIENTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for the study and its tables, kept (default: a temporary one)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page whose tables to replace")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        lines = measure(given.patients, given.seed, given.work or Path(temporary), lambda text: print(text, file=sys.stderr))
    if given.write:
        given.write.write_text(replace_between(given.write.read_text(encoding="utf-8"), lines), encoding="utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
