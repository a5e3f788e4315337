"""Genomics count only from specimens known by the index date, of the case's own cancer."""

from typing import Any

import pandas as pd
import pytest

from oncoraft.evidence.evidence import collect
from oncoraft.evidence.genomics import _protein_changes
from oncoraft.knowledge.protein_changes import protein_change
from oncoraft.prompts.budget import estimated_tokens
from oncoraft.prompts.render import Renderer, render
from tests.evidence.study import CASE, LUNG, cases, columns, tables, texts

SAMPLE = "P-0000001-T01-IM6"


def evidence(rows: dict[str, list[dict[str, Any]]], known: str = "sequenced") -> pd.DataFrame:
    """All that is known of the one case."""
    named = {
        name: [{"patient_id": "P-0000001"} | row if "patient_id" in columns(name) else row for row in part] for name, part in rows.items()
    }
    return collect(tables(**named), cases(CASE), known, 3)


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
        "profiled": [{"sample_id": sample, "mutations": True, "copy_number": True, "structural_variants": True}],
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


@pytest.mark.parametrize("kind", ["mutations", "copy_number", "structural_variants"])
@pytest.mark.parametrize("known", ["sequenced", "acquired"])
def test_where_no_specimen_is_known_nothing_at_all_is_said(kind: str, known: str) -> None:
    found = evidence(specimen(101, 101), known=known)
    assert not found["section"].isin(["genomics", "specimen"]).any()


KINDS = {
    "mutations": ("no mutation found in the sequenced genes", {}),
    "copy_number": (
        "no copy-number alteration found in the sequenced genes",
        {"cna": [{"sample_id": SAMPLE, "gene": "ERBB2", "call": 2.0}]},
    ),
    "structural_variants": (
        "no structural variant found in the sequenced genes",
        {"sv": [{"sample_id": SAMPLE, "site1_hugo_symbol": "ALK", "site2_hugo_symbol": "EML4"}]},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found_or_none_found_or_not_profiled_and_only_the_second_is_said(kind: str) -> None:
    sentence, altered = KINDS[kind]
    sample = specimen(50, 20)
    present = sample | altered
    empty = {name: rows for name, rows in sample.items() if name != "mutations"}
    not_profiled = empty | {"profiled": [sample["profiled"][0] | {kind: False}]}
    unknown = {name: rows for name, rows in empty.items() if name != "profiled"}
    for rows, value, text in (
        (present, "found", ""),
        (empty, "none found", sentence),
        (not_profiled, "not profiled", ""),
        (unknown, "not profiled", ""),
    ):
        found = evidence(rows)
        mine = found[found["field"] == f"{kind}_profiled"]
        assert list(zip(mine["value"], mine["text"])) == [(value, text)]
    others = evidence(not_profiled)
    assert set(others.loc[others["field"].str.endswith("_profiled") & (others["field"] != f"{kind}_profiled"), "value"]) == {"none found"}


def test_one_profiled_specimen_among_several_is_enough_for_none_found() -> None:
    first, second = specimen(10, 5), specimen(60, 50, number=2)
    both = {name: first[name] + second[name] for name in first if name != "mutations"}
    both["profiled"][1] |= {"mutations": False}
    assert texts("mutations_profiled", both) == ["no mutation found in the sequenced genes"]


@pytest.mark.parametrize(
    ("change", "kind", "expected"),
    [
        ("p.(Gly12Cys)", "Missense_Mutation", ["KRAS G12C"]),
        ("Gly12Cys", "Missense_Mutation", ["KRAS G12C"]),
        ("G12C", "missense_mutation", ["KRAS G12C"]),
        ("p.L210=", "Splice_Region", []),
        ("p.L210L", "Missense_Mutation", []),
        ("p.L210F", "SILENT", []),
        (None, "5'flank", []),
        ("NA", "Nonsense_Mutation", ["KRAS"]),
        ("?", "Frame_Shift_Del", ["KRAS"]),
        (None, None, ["KRAS"]),
        ("p.Met1?", "Translation_Start_Site", ["KRAS M1?"]),
        ("p.Glu746_Ala750del", "In_Frame_Del", ["KRAS E746_A750del"]),
    ],
)
def test_protein_changes_read_in_one_form_and_silent_ones_not_at_all(change: str | None, kind: str | None, expected: list[str]) -> None:
    row = {"tumor_sample_barcode": SAMPLE, "hugo_symbol": "KRAS", "hgvsp_short": change, "variant_classification": kind}
    assert texts("mutation", specimen(50, 20) | {"mutations": [row]}) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"class": "FUSION"}, "ALK-EML4 fusion"),
        ({"class": "fusion"}, "ALK-EML4 fusion"),
        ({"class": "INVERSION", "event_info": "Protein Fusion: in frame  {EML4:ALK}"}, "ALK-EML4 fusion"),
        ({"site2_effect_on_frame": "In_frame"}, "ALK-EML4 fusion"),
        ({"class": "INVERSION"}, "ALK-EML4 rearrangement"),
        ({"class": "TRANSLOCATION", "event_info": "Antisense Fusion"}, "ALK-EML4 rearrangement"),
        ({"class": "INVERSION", "event_info": "Protein Fusion: out of frame {EML4:ALK}"}, "ALK-EML4 rearrangement"),
        ({}, "ALK-EML4 rearrangement"),
        ({"site1_hugo_symbol": None, "class": "FUSION"}, "ALK rearrangement"),
        ({"site1_hugo_symbol": "NA", "class": "FUSION"}, "ALK rearrangement"),
        ({"site1_hugo_symbol": "ALK", "class": "FUSION"}, "ALK intragenic rearrangement"),
        ({"site1_hugo_symbol": "NA", "site2_hugo_symbol": None}, None),
    ],
)
def test_a_rearrangement_is_a_fusion_only_where_the_source_calls_one_of_two_genes_so(more: dict[str, Any], expected: str | None) -> None:
    row = {"sample_id": SAMPLE, "site1_hugo_symbol": "EML4", "site2_hugo_symbol": "ALK"} | more
    sample = specimen(0, 0) | {"sv": [row]}
    assert texts("structural_variant", sample) == ([expected] if expected else [])
    (compact,) = render(evidence(sample), Renderer("compact"), 3072, estimated_tokens)
    assert ("fusion" in compact["input"]) == (expected is not None and "fusion" in expected)
    assert "NA" not in compact["input"]


def test_of_two_rows_about_one_pair_the_fusion_is_told() -> None:
    rows = [
        {"sample_id": SAMPLE, "site1_hugo_symbol": "EML4", "site2_hugo_symbol": "ALK", "class": kind} for kind in ("INVERSION", "FUSION")
    ]
    for ordered in (rows, rows[::-1]):
        assert texts("structural_variant", specimen(0, 0) | {"sv": ordered}) == ["ALK-EML4 fusion"]


def test_specimens_of_another_cancer_of_the_patient_are_left_out() -> None:
    assert texts("mutation", specimen(0, 0, "Breast Cancer")) == []


def test_a_specimen_reads_with_its_site_and_burden() -> None:
    assert texts("specimen_type", specimen(90, 60)) == ["specimen of a metastasis, sequenced 10 days before treatment"]
    assert texts("specimen_site", specimen(90, 60)) == ["specimen taken from liver"]
    assert texts("tmb", specimen(90, 60)) == ["tumour mutational burden intermediate (10 mutations per megabase)"]  # 9.996 is below 10
    assert texts("tmb_value", specimen(90, 60)) == ["10"]


def test_fusions_read_once_whichever_way_the_source_has_them_and_lone_genes_are_rearranged() -> None:
    rows = [
        ("EML4", "ALK", "FUSION"),
        ("ALK", "EML4", "FUSION"),
        ("EGFR", "EGFR", "DELETION"),
        ("MET", None, None),
        ("BRCA2", "BRCA2", None),
    ]
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


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("copy_number", {"cna": [{"sample_id": SAMPLE, "gene": "PTEN", "call": -1.5}]}),
        ("copy_number", {"cna": [{"sample_id": SAMPLE, "gene": "MYC", "call": 1.0}]}),
        ("structural_variants", {"sv": [{"sample_id": SAMPLE, "class": "DELETION"}]}),
    ],
)
def test_an_alteration_that_is_not_listed_is_not_said_to_be_absent(kind: str, rows: dict[str, Any]) -> None:
    sentence, _ = KINDS[kind]
    assert sentence in evidence(specimen(50, 20))["text"].tolist()
    assert sentence not in evidence(specimen(50, 20) | rows)["text"].tolist()


def test_protein_changes_of_a_table_are_told_as_each_alone() -> None:
    texts = [
        "G12C",
        "p.G12C",
        "Q37*",
        "L210L",
        "L210=",
        "X125_splice",
        "X37C",
        "M1?",
        "Gly12Cys",
        "K1006Rfs*4",
        "0",
        "NA",
        "V600E\n",
        "G\u0661C",
    ]
    assert _protein_changes(pd.Index(texts)) == [protein_change(text) or "" for text in texts]
    assert _protein_changes(pd.Index([], dtype=object)) == []
