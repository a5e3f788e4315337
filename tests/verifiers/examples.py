"""Two cases as prompts show them, and a rationale of the first that deserves to pass."""

from oncoraft.verifiers.record import Record

LUNG = Record.from_statements(
    [
        ("drugs", "osimertinib (EGFR inhibitor)"),
        ("drugs", "mechanism of osimertinib: Blocks the kinase of mutant EGFR."),
        ("diagnosis", "non-small cell lung cancer"),
        ("diagnosis", "Stage 4 at diagnosis (210 days before treatment)"),
        ("patient", "female"),
        ("patient", "age 60 to 69"),
        ("patient", "ECOG performance status 1 (5 days before treatment)"),
        ("disease_status", "progression on CT (23 days before treatment)"),
        ("disease_status", "no progression on CT (90 days before treatment)"),
        ("disease_status", "liver (23 days before treatment)"),
        ("disease_status", "bone (23 days before treatment)"),
        ("disease_status", "CEA 14.9 ng/ml, rising (12 days before treatment; earlier 9.1 60 days before)"),
        ("prior_treatment", "this is line 2 of treatment"),
        ("prior_treatment", "line 1, erlotinib (begun 200 days before treatment): progression on imaging on day 177"),
        ("prior_treatment", "erlotinib (200 days before treatment)"),
        ("biomarkers", "PD-L1 negative (205 days before treatment)"),
        ("genomics", "microsatellite stable"),
        ("genomics", "tumour mutational burden low (4.32 mutations per megabase)"),
        ("genomics", "EGFR L858R"),
        ("genomics", "EGFR T790M"),
        ("genomics", "TP53 R175H"),
        ("genomics", "CCND1 amplification"),
    ]
)
COLON = Record.from_statements(
    [
        ("drugs", "cetuximab (anti-EGFR antibody)"),
        ("drugs", "irinotecan (topoisomerase I inhibitor)"),
        ("diagnosis", "colorectal cancer"),
        ("patient", "male"),
        ("patient", "ECOG performance status 2 (9 days before treatment)"),
        ("disease_status", "no progression on CT (30 days before treatment)"),
        ("disease_status", "lung (30 days before treatment)"),
        ("prior_treatment", "this is line 3 of treatment"),
        ("prior_treatment", "oxaliplatin (300 days before treatment)"),
        ("genomics", "microsatellite stable"),
        ("genomics", "KRAS G12D"),
        ("genomics", "APC Q1378*"),
    ]
)
UNSEQUENCED = Record.from_statements(
    [
        ("drugs", "docetaxel (taxane)"),
        ("diagnosis", "prostate cancer"),
        ("patient", "ECOG performance status 1 (9 days before treatment)"),
        ("prior_treatment", "this is line 1 of treatment"),
    ]
)
GOOD = (
    "Osimertinib blocks the kinase of mutant EGFR. Against it, liver disease is a poor sign, CEA is rising and TP53 R175H marks aggressive"
    " disease. In favour, EGFR L858R is the target of osimertinib, EGFR T790M is covered by osimertinib and ECOG 1 allows full treatment."
    " Overall a benefit is likely."
)
