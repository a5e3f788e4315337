"""Genomics count only from specimens known by the index date, of the case's own cancer."""

from typing import Any

import pytest

from tests.evidence.study import LUNG, texts


def specimen(sequenced: int, acquired: int, kind: str = LUNG, number: int = 1) -> dict[str, list[dict[str, Any]]]:
    sample = f"P-0000001-T0{number}-IM6"
    return {
        "clinical_sample": [
            {
                "sample_id": sample,
                "cancer_type": kind,
                "sample_type": "Metastasis",
                "metastatic_site": "Liver",
                "primary_site": "Lung",
                "tmb_nonsynonymous": 9.996,
            }
        ],
        "timeline_specimen": [{"start_day": sequenced, "sample_id": sample}],
        "timeline_specimen_surgery": [{"start_day": acquired, "sample_id": sample}],
        "mutations": [
            {
                "tumor_sample_barcode": sample,
                "hugo_symbol": "EGFR",
                "hgvsp_short": "p.L858R",
                "variant_classification": "Missense_Mutation",
            },
            {"tumor_sample_barcode": sample, "hugo_symbol": "TP53", "hgvsp_short": "p.P72P", "variant_classification": "Silent"},
            {"tumor_sample_barcode": sample, "hugo_symbol": "TERT", "variant_classification": "5'Flank"},
        ],
    }


@pytest.mark.parametrize(
    ("sequenced", "acquired", "known", "expected"),
    [
        (100, 60, "sequenced", ["EGFR L858R"]),
        (101, 60, "sequenced", []),
        (101, 100, "acquired", ["EGFR L858R"]),
        (150, 101, "acquired", []),
    ],
)
def test_genomics_count_from_the_day_of_sequencing_or_of_taking(sequenced: int, acquired: int, known: str, expected: list[str]) -> None:
    assert texts("mutation", specimen(sequenced, acquired), known=known) == expected
    assert texts("genomics_status", specimen(sequenced, acquired), known=known) == []  # that none is known would tell that one will be


def test_specimens_of_another_cancer_of_the_patient_are_left_out() -> None:
    assert texts("mutation", specimen(0, 0, "Breast Cancer")) == []


def test_a_specimen_reads_with_its_site_and_burden() -> None:
    assert texts("specimen_type", specimen(90, 60)) == ["specimen of a metastasis, sequenced 10 days before treatment"]
    assert texts("specimen_site", specimen(90, 60)) == ["specimen taken from liver"]
    assert texts("tmb", specimen(90, 60)) == ["tumour mutational burden intermediate (10 mutations per megabase)"]  # 9.996 is below 10
    assert texts("tmb_value", specimen(90, 60)) == ["10"]


def test_fusions_read_once_whichever_way_the_source_has_them_and_lone_genes_are_rearranged() -> None:
    rows = [("EML4", "ALK", None), ("ALK", "EML4", None), ("EGFR", "EGFR", "DELETION"), ("MET", None, None), ("BRCA2", "BRCA2", None)]
    sample = specimen(0, 0)
    sample["sv"] = [
        {"sample_id": "P-0000001-T01-IM6", "site1_hugo_symbol": first, "site2_hugo_symbol": second, "class": kind}
        for first, second, kind in rows
    ]
    assert texts("structural_variant", sample) == [
        "EGFR intragenic deletion",
        "ALK-EML4 fusion",
        "MET rearrangement",
        "BRCA2 intragenic rearrangement",
    ]


def test_of_many_alterations_those_that_decide_treatment_come_first_and_the_rest_is_counted() -> None:
    sample = specimen(0, 0)
    genes = [f"AAA{number}" for number in range(40)] + ["EGFR"]
    sample["mutations"] = [
        {
            "tumor_sample_barcode": "P-0000001-T01-IM6",
            "hugo_symbol": gene,
            "hgvsp_short": "p.A1B",
            "variant_classification": "Nonsense_Mutation",
        }
        for gene in genes
    ]
    shown = texts("mutation", sample, alterations_shown=5)
    assert shown[0] == "EGFR A1B"
    assert len(shown) == 5
    assert texts("not_listed", sample, alterations_shown=5) == ["36 further mutations not listed"]
    assert texts("not_listed", sample, alterations_shown=41) == []
