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

    def line(self, day: int, *agents: str, setting: str = "metastatic", **more: Any) -> Chart:
        """A regimen begins in a setting; `more` of what the case list says of it."""
        for agent in agents:
            self.add("timeline_treatment", start_day=day, agent=agent)
        before = sum(start["setting"] == setting for start in self.starts)
        start = {"patient_id": "P-0000001", "index_day": day, "cancer_type": self.cancer, "agents": list(agents), "setting": setting}
        self.starts.append(start | {"line_of_therapy": before + 1, "line_overall": len(self.starts) + 1} | more)
        return self

    def joined_by(self, day: int, agent: str) -> Chart:
        """A partner that joins the last regimen later: its case list knows of it, its index date did not."""
        self.add("timeline_treatment", start_day=day, agent=agent)
        self.starts[-1] |= {"agents": [*self.starts[-1]["agents"], agent], "agents_at_index": sorted(self.starts[-1]["agents"])}
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
    return breast() | lung() | bowel_and_pancreas() | others()


def breast() -> dict[str, Chart]:
    """Adjuvant, neoadjuvant and metastatic."""
    duct = "INFILTRATING DUCT CARCINOMA, NOS | BREAST, UOQ (M8500/3 | C504)"
    found = "Breast Invasive Ductal Carcinoma"
    return {
        "breast-adjuvant": Chart(BREAST, "Female", 54, 1600, hr=True, her2=False, race="Asian-Far East/Indian Subcont")
        .diagnosed(-70, duct, "Stage 1-3", "2B", "Regional to lymph nodes")
        .sequenced(0, -42, "Primary", "", found, 2.6, "Stable", "PIK3CA p.E545K", "GATA3 p.P409fs")
        .scan(-75, "N", "Y", "Lymph Nodes", modality="MR")
        .ecog((20, 0))
        .marker("CA 15-3", (-60, 31), (20, 18))
        .add("timeline_surgery", start_day=-42, subtype="PROCEDURE")
        .add("timeline_surgery", start_day=-42, subtype="SAMPLE")
        .add("timeline_prior_meds", start_day=-65, prior_med_to_msk="No prior medications")
        .line(20, "CYCLOPHOSPHAMIDE", "DOXORUBICIN", setting="adjuvant", diagnosis_day=-70, protocol="AC-T")
        .joined_by(76, "PACLITAXEL"),
        "breast-neoadjuvant": Chart(BREAST, "Female", 43, 900, hr=False, her2=True)
        .diagnosed(-25, duct, "Stage 1-3", "3A", "Regional both 2and 3")
        .sequenced(0, -20, "Primary", "", found, 4.1, "Stable", "TP53 p.R248Q", "+ERBB2")
        .scan(-22, "N", "Y", "Lymph Nodes", "Other")
        .ecog((6, 0))
        .line(6, "CARBOPLATIN", "DOCETAXEL", "PERTUZUMAB", "TRASTUZUMAB", setting="neoadjuvant", diagnosis_day=-25, protocol="TCHP"),
        "breast-metastatic": Chart(BREAST, "Female", 61, 1200, hr=True, her2=False)
        .diagnosed(-900, duct, "Stage 1-3", "2B", "Regional to lymph nodes")
        .sequenced(0, -15, "Metastasis", "Liver", found, 3.5, "Stable", "PIK3CA p.H1047R", "ESR1 p.D538G", "+CCND1")
        .line(-880, "LETROZOLE", setting="adjuvant")
        .line(-400, "LETROZOLE", "PALBOCICLIB")
        .scan(-300, "N", "Y", "Bone")
        .scan(-20, "Y", "N", "Bone", "Liver", modality="PET")
        .ecog((-30, 0), (2, 1))
        .marker("CA 15-3", (-200, 30), (-90, 55), (3, 120))
        .add("timeline_surgery", start_day=-890, subtype="PROCEDURE")
        .add("timeline_radiation", start_day=-700)
        .add("timeline_radiation", start_day=-8)
        .line(12, "ALPELISIB", "FULVESTRANT", diagnosis_day=-900),
    }


def lung() -> dict[str, Chart]:
    """Chemoradiation, and an EGFR mutation in a patient who had breast cancer before."""
    upper_lobe = "ADENOCARCINOMA, NOS | LUNG, UPPER LOBE (M8140/3 | C341)"
    duct = "INFILTRATING DUCT CARCINOMA, NOS | BREAST, NOS (M8500/3 | C509)"
    return {
        "lung-chemoradiation": Chart(LUNG, "Male", 68, 700)
        .diagnosed(-30, upper_lobe, "Stage 1-3", "3B", "Regional, extension and nodes")
        .sequenced(0, -28, "Primary", "", "Lung Adenocarcinoma", 11.2, "Stable", "KRAS p.G12C", "STK11 p.Q37*")
        .scan(-31, "N", "Y", "Lung", "Lymph Nodes", modality="PET")
        .ecog((-10, 1), (9, 1))
        .add("timeline_pdl1", start_day=-20, pdl1_positive=True)
        .add("timeline_prior_meds", start_day=-29, prior_med_to_msk="No prior medications")
        .add("timeline_radiation", start_day=11)
        .line(9, "CARBOPLATIN", "PEMETREXED", setting="unknown", is_chemoradiation_at_index=True, diagnosis_day=-30),
        "lung-egfr-after-breast": Chart(LUNG, "Female", 66, 900, hr=True, her2=False)
        .diagnosed(-2400, duct, "Stage 1-3", "1", "Localized")
        .diagnosed(-20, upper_lobe, "Stage 4", "4B", "Distant")
        .sequenced(0, -18, "Primary", "", "Lung Adenocarcinoma", 2.6, "Stable", "EGFR p.L858R", "TP53 p.R273H", "-CDKN2A")
        .add("timeline_treatment", start_day=-2300, agent="LETROZOLE")
        .add("timeline_gleason", start_day=-50, gleason_score=7)
        .scan(-25, "Y", "Y", "Lung", "CNS/Brain", "Bone")
        .scan(8, "Y", "Y", "Liver")
        .ecog((-3, 1), (4, 1))
        .marker("CEA", (-10, 18.4))
        .add("timeline_pdl1", start_day=-5, pdl1_positive=False)
        .add("timeline_radiation", start_day=-6)
        .line(8, "OSIMERTINIB", diagnosis_day=-20, has_other_cancer=True)
        .scan(60, "N", "Y", "Lung"),
    }


def bowel_and_pancreas() -> dict[str, Chart]:
    """Colon: adjuvant, and metastatic after surgery; pancreas: FOLFIRINOX after treatment elsewhere."""
    sigmoid = "ADENOCARCINOMA, NOS | SIGMOID COLON (M8140/3 | C187)"
    head = "ADENOCARCINOMA, NOS | HEAD OF PANCREAS (M8140/3 | C250)"
    return {
        "colon-adjuvant": Chart(COLON, "Male", 60, 1500)
        .diagnosed(-60, sigmoid, "Stage 1-3", "3B", "Regional, lymph nodes only")
        .sequenced(0, -45, "Primary", "", "Colon Adenocarcinoma", 6.1, "Stable", "APC p.R1450*", "KRAS p.G12D")
        .scan(-65, "N", "Y", "Intra-Abdominal")
        .scan(10, "N", "N")
        .ecog((15, 0))
        .marker("CEA", (-50, 9.8), (15, 1.2))
        .add("timeline_mmr", start_day=-40, mmr_absent=False)
        .add("timeline_surgery", start_day=-45, subtype="PROCEDURE")
        .line(15, "CAPECITABINE", setting="adjuvant", diagnosis_day=-60, protocol="CAPOX")
        .joined_by(25, "OXALIPLATIN"),
        "colon-metastatic-after-surgery": Chart(COLON, "Male", 58, 1100)
        .diagnosed(-600, sigmoid, "Stage 1-3", "3B", "Regional both 2and 3")
        .sequenced(0, -10, "Metastasis", "Liver", "Colon Adenocarcinoma", 6.1, "Stable", "APC p.R1450*", "KRAS p.G12D", "TP53 p.R175H")
        .add("timeline_surgery", start_day=-590, subtype="PROCEDURE")
        .line(-550, "FLUOROURACIL", "OXALIPLATIN", setting="adjuvant")
        .scan(-300, "N", "N")
        .scan(-12, "Y", "Y", "Liver", "Lung")
        .ecog((-60, 0), (18, 1))
        .marker("CEA", (-300, 2), (-90, 6.1), (18, 19))
        .add("timeline_mmr", start_day=-580, mmr_absent=False)
        .line(20, "BEVACIZUMAB", "FLUOROURACIL", "IRINOTECAN", diagnosis_day=-600),
        "pancreas-folfirinox": Chart(PANCREAS, "Female", 67, 400)
        .diagnosed(-45, head, "Stage 4", "4", "Localized")
        .sequenced(0, -44, "Metastasis", "Liver", "Pancreatic Adenocarcinoma", 1.7, "Stable", "KRAS p.G12V", "TP53 p.R282W")
        .scan(-46, "Y", "N", "Other", "Liver")
        .ecog((-38, 1))
        .marker("CA 19-9", (-43, 4120))
        .add("timeline_prior_meds", start_day=-44, prior_med_to_msk="Prior medications to MSK")
        .line(-30, "FLUOROURACIL", "IRINOTECAN", "OXALIPLATIN", diagnosis_day=-45, protocol="FOLFIRINOX"),
    }


def others() -> dict[str, Chart]:
    """A prostate cancer that castration no longer holds, and a patient of whom next to nothing is on record."""
    gland = "ADENOCARCINOMA, NOS | PROSTATE GLAND (M8140/3 | C619)"
    genes = ("BRCA2 p.S1982Rfs*22", "TP53 p.Y220C", "+AR", "-PTEN", "ERG/TMPRSS2")
    return {
        "prostate-castration-resistant": Chart(PROSTATE, "Male", 71, 900, race="Other", ethnicity="Unknown")
        .diagnosed(-1500, gland, "Stage 1-3", "99", "Unknown/Unstaged")
        .sequenced(0, -60, "Metastasis", "Bone", "Prostate Adenocarcinoma", 4.3, "Stable", *genes)
        .line(-1400, "LEUPROLIDE", setting="unknown")
        .line(-700, "ENZALUTAMIDE")
        .line(-150, "DOCETAXEL")
        .scan(-100, "N", "Y", "Bone")
        .scan(-10, "Y", "Y", "Bone", "Lymph Nodes", modality="PET")
        .ecog((-9, 1), (-9, 2))
        .marker("PSA", (-100, 14.2), (-40, 38.5), (-1, 96))
        .add("timeline_gleason", start_day=-1490, gleason_score=9)
        .add("timeline_gleason", start_day=-1400, gleason_score=8)
        .add("timeline_radiation", start_day=-1300)
        .line(20, "INVESTIGATIONAL", "OLAPARIB", diagnosis_day=-1500),
        "almost-no-evidence": Chart(PANCREAS, "Unknown", 70, 300, race="Unknown", ethnicity="Unknown")
        .sequenced(0, -40, "Primary", "", "Pancreatic Adenocarcinoma", 0.9, "Stable", "KRAS p.G12D")
        .line(-20, "GEMCITABINE", setting="unknown"),
    }


def main() -> None:
    """Write every snapshot."""
    SNAPSHOTS.mkdir(exist_ok=True)
    for name, chart in clinic().items():
        for template in ("full", "oncoraft"):
            (SNAPSHOTS / f"{name}.{template}.txt").write_text(chart.prompt(template) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
