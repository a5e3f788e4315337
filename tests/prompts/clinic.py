"""Ten made-up patients of different cancers, each a page of a chart: what the snapshots show and an oncologist can read.

`python -m tests.prompts.clinic` writes the snapshots anew; look at them before you commit them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oncoraft.evidence.evidence import collect
from oncoraft.prompts.budget import estimated_tokens
from oncoraft.prompts.render import Renderer, render
from tests.evidence.study import cases, tables

SNAPSHOTS = Path(__file__).parent / "snapshots"
LUNG, BREAST, COLON, PROSTATE, PANCREAS = (
    f"{name} Cancer" for name in ("Non-Small Cell Lung", "Breast", "Colorectal", "Prostate", "Pancreatic")
)
MARKERS = {"PSA": ("psa", "ng/ml"), "CEA": ("cea", "ng/ml"), "CA 19-9": ("ca_19_9", "Units/ml"), "CA 15-3": ("ca_15_3", "Units/ml")}


class Chart:
    """One patient's records, in the words of a chart; days count from the first sequencing."""

    def __init__(self, cancer: str, sex: str, age_at_end: int, os_days: int, **more: Any) -> None:
        """Who the patient is: cancer type, sex, age and day at the end of follow-up, receptors if tested."""
        self.cancer = cancer
        self.rows: dict[str, list[dict[str, Any]]] = {}
        person = {
            "gender": sex,
            "race": "White",
            "ethnicity": "Non-Spanish; Non-Hispanic",
            "current_age_deid": age_at_end,
            "os_days": os_days,
        }
        self.add("clinical_patient", **(person | more))
        self.starts: list[dict[str, Any]] = []

    def add(self, table: str, **row: Any) -> Chart:
        """One record."""
        self.rows.setdefault(table, []).append({"patient_id": "P-0000001"} | row)
        return self

    def diagnosed(self, day: int, text: str, stage: str, group: str, extent: str) -> Chart:
        """The registry's entry."""
        row = {"dx_description": text, "stage_cdm_derived": stage, "clinical_group": group, "path_group": "99", "summary": extent}
        return self.add("timeline_diagnosis", start_day=day, **row)

    def sequenced(self, day: int, taken: int, kind: str, site: str, detailed: str, tmb: float, msi: str, *alterations: str) -> Chart:
        """A specimen with its alterations: `EGFR p.L858R`, `+ERBB2`, `-CDKN2A`, `ALK/EML4`."""
        sample = "P-0000001-T01-IM6"
        primary = {LUNG: "Lung", BREAST: "Breast", COLON: "Colon", PROSTATE: "Prostate Gland", PANCREAS: "Pancreas"}[self.cancer]
        row = {
            "cancer_type": self.cancer,
            "sample_type": kind,
            "metastatic_site": site,
            "primary_site": primary,
            "cancer_type_detailed": detailed,
        }
        score = 32.5 if msi == "Instable" else 0.4
        self.add("clinical_sample", sample_id=sample, tmb_nonsynonymous=tmb, msi_type=msi, msi_score=score, tumor_purity=40.0, **row)
        self.add("timeline_specimen", start_day=day, sample_id=sample)
        self.add("timeline_specimen_surgery", start_day=taken, sample_id=sample)
        self._genomic("profiled", sample_id=sample, mutations=True, copy_number=True, structural_variants=True)
        for alteration in alterations:
            if alteration[0] in "+-":
                self._genomic("cna", sample_id=sample, gene=alteration[1:], call=2.0 if alteration[0] == "+" else -2.0)
            elif "/" in alteration:
                first, second = alteration.split("/")
                event = f"Protein Fusion: in frame  {{{first}:{second}}}"
                self._genomic("sv", sample_id=sample, site1_hugo_symbol=first, site2_hugo_symbol=second, event_info=event)
            else:
                gene, change = alteration.split()
                named = {"hugo_symbol": gene, "hgvsp_short": change, "variant_classification": "Missense_Mutation"}
                self._genomic("mutations", tumor_sample_barcode=sample, **named)
        return self

    def _genomic(self, table: str, **row: Any) -> None:
        self.rows.setdefault(table, []).append(row)

    def line(self, day: int, *agents: str) -> Chart:
        """A regimen begins."""
        for agent in agents:
            self.add("timeline_treatment", start_day=day, agent=agent)
        start = {"patient_id": "P-0000001", "index_day": day, "cancer_type": self.cancer, "agents": list(agents)}
        self.starts.append(start | {"line_of_therapy": len(self.starts) + 1})
        return self

    def scan(self, day: int, progression: str, seen: str, *sites: str, modality: str = "CT") -> Chart:
        """A report: progression Y or N, cancer seen Y or N, and where."""
        self.add("timeline_progression", start_day=day, progression=progression, procedure_type=modality)
        self.add("timeline_cancer_presence", start_day=day, has_cancer=seen, procedure_type=modality)
        for site in sites:
            self.add("timeline_tumor_sites", start_day=day, tumor_site=site)
        return self

    def ecog(self, *pairs: tuple[int, int]) -> Chart:
        """Performance status: (day, grade)."""
        for day, grade in pairs:
            self.add("timeline_performance_status", start_day=day, ecog=grade)
        return self

    def marker(self, name: str, *pairs: tuple[int, float]) -> Chart:
        """A tumour marker: (day, value)."""
        table, unit = MARKERS[name]
        for day, value in pairs:
            self.add(f"timeline_{table}_labs", start_day=day, result=value, lr_unit_measure=unit)
        return self

    def prompt(self, template: str, known: str = "sequenced") -> str:
        """The patient's part of the prompt of the last line."""
        listed = cases(*self.starts)
        evidence = collect(tables(**self.rows), listed, known, 3)
        last = listed["case_id"].iloc[-1]
        (row,) = render(evidence[evidence["case_id"] == last], Renderer(template), 3072, estimated_tokens)
        return str(row["input"])


def clinic() -> dict[str, Chart]:
    """The ten patients by name of their snapshot."""
    adeno = "ADENOCARCINOMA, NOS | {} (M8140/3 | {})"
    distant, local = "Distant metastases/systemic disease", "Localized"
    upper_lobe = adeno.format("LUNG, UPPER LOBE", "C341")
    duct = "INFILTRATING DUCT CARCINOMA, NOS | BREAST, UPPER-OUTER QUADRANT (M8500/3 | C504)"
    found = {
        "lung-egfr-osimertinib": Chart(LUNG, "Female", 66, 900)
        .diagnosed(-20, upper_lobe, "Stage 4", "4B", distant)
        .sequenced(0, -18, "Primary", "", "Lung Adenocarcinoma", 2.6, "Stable", "EGFR p.L858R", "TP53 p.R273H", "-CDKN2A")
        .scan(-25, "Y", "Y", "Lung", "CNS/Brain", "Bone")
        .ecog((-3, 1), (4, 1))
        .marker("CEA", (-10, 18.4))
        .add("timeline_pdl1", start_day=-5, pdl1_positive=False)
        .add("timeline_radiation", start_day=-6)
        .line(8, "OSIMERTINIB")
        .scan(60, "N", "Y", "Lung"),
        "lung-alk-lorlatinib": Chart(LUNG, "Male", 52, 1500)
        .diagnosed(-30, upper_lobe, "Stage 4", "4A", distant)
        .sequenced(0, -28, "Metastasis", "Pleura", "Lung Adenocarcinoma", 1.7, "Stable", "EML4/ALK", "TP53 p.G245S")
        .line(10, "ALECTINIB")
        .scan(90, "N", "Y", "Lung", "Pleura")
        .scan(420, "N", "N")
        .scan(640, "Y", "Y", "Liver", "Lung")
        .ecog((600, 0), (645, 1))
        .add("timeline_pdl1", start_day=2, pdl1_positive=True)
        .line(660, "LORLATINIB"),
        "lung-kras-stk11-pembrolizumab": Chart(LUNG, "Male", 74, 300)
        .diagnosed(-40, upper_lobe, "Stage 4", "4B", distant)
        .sequenced(
            0, -35, "Metastasis", "Adrenal Gland", "Lung Adenocarcinoma", 11.2, "Stable", "KRAS p.G12C", "STK11 p.Q37*", "KEAP1 p.R470C"
        )
        .scan(-30, "Y", "Y", "Lung", "Adrenal Glands", "Liver")
        .ecog((5, 2))
        .add("timeline_pdl1", start_day=-3, pdl1_positive=True)
        .add("timeline_prior_meds", start_day=-29, prior_med_to_msk="No prior medications")
        .line(9, "PEMBROLIZUMAB"),
        "breast-pik3ca-alpelisib": Chart(BREAST, "Female", 61, 1200, hr=True, her2=False)
        .diagnosed(-900, duct, "Stage 1-3", "2B", "Regional to lymph nodes")
        .sequenced(
            0, -15, "Metastasis", "Liver", "Breast Invasive Ductal Carcinoma", 3.5, "Stable", "PIK3CA p.H1047R", "ESR1 p.D538G", "+CCND1"
        )
        .line(-880, "LETROZOLE")
        .line(-400, "LETROZOLE", "PALBOCICLIB")
        .scan(-300, "N", "Y", "Bone")
        .scan(-20, "Y", "Y", "Bone", "Liver", modality="PET")
        .ecog((-30, 0), (2, 1))
        .marker("CA 15-3", (-200, 30), (-90, 55), (3, 120))
        .add("timeline_surgery", start_day=-890, subtype="PROCEDURE")
        .add("timeline_radiation", start_day=-700)
        .add("timeline_radiation", start_day=-8)
        .line(12, "ALPELISIB", "FULVESTRANT"),
        "breast-her2-deruxtecan": Chart(BREAST, "Female", 48, 800, hr=False, her2=True)
        .diagnosed(-500, duct, "Stage 4", "4", distant)
        .sequenced(0, -490, "Primary", "", "Breast Invasive Ductal Carcinoma", 5.9, "Stable", "TP53 p.R248Q", "+ERBB2", "+MYC")
        .line(-480, "PACLITAXEL", "PERTUZUMAB", "TRASTUZUMAB")
        .scan(-400, "N", "Y", "Liver", "Lymph Nodes")
        .scan(-30, "Y", "Y", "Liver", "CNS/Brain", modality="MR")
        .ecog((-20, 1))
        .marker("CA 15-3", (-25, 88))
        .line(6, "FAM-TRASTUZUMAB DERUXTECAN"),
        "colon-msi-pembrolizumab": Chart(COLON, "Female", 83, 700)
        .diagnosed(-60, adeno.format("ASCENDING COLON", "C182"), "Stage 4", "4A", distant)
        .sequenced(
            0, -55, "Primary", "", "Colon Adenocarcinoma", 42.3, "Instable", "BRAF p.V600E", "RNF43 p.G659Vfs*41", "ARID1A p.D1850Tfs*33"
        )
        .scan(-15, "Y", "Y", "Intra-Abdominal", "Lymph Nodes")
        .ecog((-4, 1))
        .marker("CEA", (-40, 3.1), (-5, 3.4))
        .add("timeline_mmr", start_day=-50, mmr_absent=True)
        .add("timeline_surgery", start_day=-55, subtype="PROCEDURE")
        .line(5, "PEMBROLIZUMAB"),
        "colon-kras-folfiri-bevacizumab": Chart(COLON, "Male", 58, 1100)
        .diagnosed(-200, adeno.format("SIGMOID COLON", "C187"), "Stage 4", "4", distant)
        .sequenced(
            0, -195, "Primary", "", "Colon Adenocarcinoma", 6.1, "Stable", "APC p.R1450*", "KRAS p.G12D", "TP53 p.R175H", "SMAD4 p.R361H"
        )
        .line(-180, "FLUOROURACIL", "OXALIPLATIN")
        .scan(-120, "N", "Y", "Liver")
        .scan(40, "N", "Y", "Liver")
        .scan(130, "Y", "Y", "Liver", "Lung")
        .ecog((20, 0), (135, 1))
        .marker("CEA", (30, 22), (90, 61), (140, 190))
        .add("timeline_mmr", start_day=-190, mmr_absent=False)
        .line(150, "BEVACIZUMAB", "FLUOROURACIL", "IRINOTECAN"),
        "prostate-brca2-olaparib": Chart(PROSTATE, "Male", 71, 900)
        .diagnosed(-1500, adeno.format("PROSTATE GLAND", "C619"), "Stage 1-3", "99", "Unknown/Unstaged")
        .sequenced(
            0,
            -60,
            "Metastasis",
            "Bone",
            "Prostate Adenocarcinoma",
            4.3,
            "Stable",
            "BRCA2 p.S1982Rfs*22",
            "TP53 p.Y220C",
            "+AR",
            "-PTEN",
            "ERG/TMPRSS2",
        )
        .line(-1400, "LEUPROLIDE")
        .line(-700, "ENZALUTAMIDE")
        .line(-150, "DOCETAXEL")
        .scan(-100, "N", "Y", "Bone")
        .scan(-10, "Y", "Y", "Bone", "Lymph Nodes", modality="PET")
        .ecog((-9, 1))
        .marker("PSA", (-100, 14.2), (-40, 38.5), (-1, 96))
        .add("timeline_gleason", start_day=-1490, gleason_score=9)
        .add("timeline_gleason", start_day=-1400, gleason_score=8)
        .add("timeline_radiation", start_day=-1300)
        .line(20, "OLAPARIB"),
        "pancreas-before-sequencing": Chart(PANCREAS, "Female", 67, 400)
        .diagnosed(-45, adeno.format("HEAD OF PANCREAS", "C250"), "Stage 4", "4", distant)
        .sequenced(0, -44, "Metastasis", "Liver", "Pancreatic Adenocarcinoma", 1.7, "Stable", "KRAS p.G12V", "TP53 p.R282W")
        .scan(-46, "Y", "Y", "Other", "Liver")
        .ecog((-38, 1))
        .marker("CA 19-9", (-43, 4120))
        .add("timeline_prior_meds", start_day=-44, prior_med_to_msk="Prior medications to MSK")
        .line(-30, "GEMCITABINE", "PACLITAXEL PROTEIN-BOUND"),
        "pancreas-adjuvant": Chart(PANCREAS, "Male", 59, 1500)
        .diagnosed(-50, adeno.format("HEAD OF PANCREAS", "C250"), "Stage 1-3", "2", local)
        .sequenced(0, -40, "Primary", "", "Pancreatic Adenocarcinoma", 0.9, "Stable")
        .scan(-60, "N", "Y", "Other")
        .scan(10, "N", "N")
        .ecog((8, 0))
        .marker("CA 19-9", (-55, 240), (9, 0))
        .add("timeline_surgery", start_day=-40, subtype="PROCEDURE")
        .add("timeline_surgery", start_day=-40, subtype="SAMPLE")
        .line(21, "FLUOROURACIL", "IRINOTECAN", "OXALIPLATIN"),
    }
    return found


def main() -> None:
    """Write every snapshot."""
    SNAPSHOTS.mkdir(exist_ok=True)
    for name, chart in clinic().items():
        for template in ("full", "oncoraft"):
            (SNAPSHOTS / f"{name}.{template}.txt").write_text(chart.prompt(template) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
