"""The part of the allow-list that comes from sequenced specimens; `fields` joins it with the rest."""

from __future__ import annotations

from oncoraft.evidence.declaration import Field

MUTATION_SOURCES = ("mutations.hugo_symbol", "mutations.hgvsp_short", "mutations.variant_classification")
FUSION_SOURCES = ("sv.site1_hugo_symbol", "sv.site2_hugo_symbol", "sv.class", "sv.event_info", "sv.site2_effect_on_frame")

GENOMIC_FIELDS: tuple[Field, ...] = (
    Field("specimen_type", "specimen", 45, ("clinical_sample.sample_type",), "specimen", "{reading}, {event} {ago}", ""),
    Field(
        "specimen_site",
        "specimen",
        25,
        ("clinical_sample.metastatic_site", "clinical_sample.primary_site"),
        "specimen",
        "specimen taken from {value}",
        "",
    ),
    Field("organ", "specimen", 24, ("clinical_sample.primary_site",), "specimen", "{value}", "", layout_only=True, kind="text"),
    Field("specimen_histology", "specimen", 24, ("clinical_sample.cancer_type_detailed",), "specimen", "classified as {value}", ""),
    Field("tumor_purity", "specimen", 8, ("clinical_sample.tumor_purity",), "specimen", "tumour purity {value} %", "", kind="number"),
    *(
        Field(
            f"{kind}_profiled",
            "genomics",
            100,
            (f"profiled.{kind}",),
            "specimen",
            "{reading}",
            "",
            note="found, none found or not profiled, over the known specimens; reads as a sentence only where none was found",
        )
        for kind in ("mutations", "copy_number", "structural_variants")
    ),
    Field("msi", "genomics", 100, ("clinical_sample.msi_type",), "specimen", "{reading}", "MSI {value}"),
    Field(
        "msi_score",
        "genomics",
        100,
        ("clinical_sample.msi_score",),
        "specimen",
        "MSI score {value}",
        "",
        note="left out where not computed",
        kind="number",
    ),
    Field("tmb_value", "genomics", 100, ("clinical_sample.tmb_nonsynonymous",), "specimen", "{value}", "", layout_only=True, kind="number"),
    Field("msi_comment", "genomics", 9, ("clinical_sample.msi_comment",), "specimen", "{value}", "", layout_only=True, kind="text"),
    Field(
        "tmb",
        "genomics",
        100,
        ("clinical_sample.tmb_nonsynonymous",),
        "specimen",
        "tumour mutational burden {value} ({number} mutations per megabase)",
        "TMB {value}",
        note="bands of below 2, 6 and 10 mutations per megabase; 10 is the label of pembrolizumab",
    ),
    Field(
        "mutation",
        "genomics",
        100,
        MUTATION_SOURCES,
        "specimen",
        "{value}",
        listed="mutations",
        note="in one normal form; silent and non-coding ones left out",
        kind="genes",
    ),
    Field(
        "copy_number",
        "genomics",
        100,
        ("cna.gene", "cna.call"),
        "specimen",
        "{value}",
        listed="copy number",
        note="calls of -2 and 2",
        kind="genes",
    ),
    Field(
        "structural_variant",
        "genomics",
        100,
        FUSION_SOURCES,
        "specimen",
        "{value}",
        listed="structural variants",
        note="partners in alphabetical order, since the source has both; a fusion only where the source calls it so",
        kind="genes",
    ),
    Field(
        "not_listed",
        "genomics",
        100,
        (*MUTATION_SOURCES[:1], "cna.gene"),
        "specimen",
        "{value}",
        "",
        note="how many more there are",
        kind="text",
    ),
)
