"""A statement that stands for others says what each of them says, apart from numbers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.verifiers import record
from oncoraft.verifiers.alike import DAYS, changed_gene, read_alike, without_days
from oncoraft.verifiers.record import Record
from oncoraft.verifiers.vocabulary import phrases

# A number stands where N does; the first are worded like the prompts, the others look like them.
ALIKE = """diagnosed N days before treatment; specimen of a metastasis, sequenced N days before treatment
specimen of the primary tumour, sequenced N days before treatment; metastatic line 5, docetaxel: progression on imaging N days before treatment
earlier regimen, carboplatin + pemetrexed: progression on imaging N days before treatment; CEA N ng/ml, rising, earlier N, N; CEA N ng/ml, measured once
CA 15-3 N units/ml, falling, earlier N; PSA below detection, falling, earlier N, below detection; PSA N ng/ml, rising, earlier below detection, N
CA 19-9 N units/ml, steady, earlier N, N, N; no KRAS mutation, diagnosed N days before treatment"""
OTHERS = """ECOG N days before treatment; stage N days before treatment; line N days before treatment; MSI score N; Gleason score N
ECOG on imaging N days before treatment; aged N days before treatment; performance status N days before treatment; CEA N ng/ml, not rising
CEA N ng/ml, rising, line N; CEA N ng/ml; PSA N, rising; tumour mutational burden high (N mutations per megabase); imaged on N days so far"""
NUMBERS = ("0", "1", "2", "3", "4", "7", "10", "14.8", "0.05", "15", "19", "60", "100", "673", "1234", "131", "510")
SECTIONS = ("specimen", "prior treatment", "tumour markers", "drugs", "disease")


def worded(templates: str) -> list[str]:
    """Every statement with every number."""
    found = []
    for template in (part.strip() for part in re.split("[;\n]", templates)):
        found += [template.replace("N", number) for number in NUMBERS]
    return found


def told(section: str, statement: str) -> tuple[object, ...]:
    """What one statement makes of a record."""
    made = Record.from_statements([(section, statement)])
    return made.given, made.prior, made.alterations, made.genes, made.values, made.numbers, made.profiled


@pytest.mark.parametrize("templates", [ALIKE, OTHERS])
def test_what_a_statement_tells_does_not_depend_on_those_read_before_it(templates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [(section, statement) for section in SECTIONS for statement in worded(templates)]
    found = [told(*one) for one in every]
    record._told.cache_clear()
    record._read.cache_clear()
    monkeypatch.setattr(record, "read_alike", lambda bare: bare)
    monkeypatch.setattr(record, "without_days", lambda text: DAYS.sub("", text))
    for one, what in zip(every, found, strict=True):
        assert told(*one) == what, one
    record._told.cache_clear()
    record._read.cache_clear()


def test_statements_that_differ_in_days_and_amounts_alone_are_read_as_one() -> None:
    assert read_alike("diagnosed 176 days before treatment") == read_alike("diagnosed 4 days before treatment")
    assert read_alike("CEA 14.8 ng/ml, rising, earlier 12, 6.5") == read_alike("CEA 3 ng/ml, rising, earlier 2, 1")
    assert read_alike("CEA 14.8 ng/ml, rising") != read_alike("CEA 14.8 ng/ml, falling")
    for statement in worded(OTHERS):
        assert read_alike(statement) == statement


@given(st.text(alphabet="() 1adysbefor\n", max_size=30), st.sampled_from(["", " days before treatment)", "(12 days before treatment)"]))
def test_days_in_brackets_are_taken_out_as_the_pattern_says(text: str, end: str) -> None:
    assert without_days(text + end) == DAYS.sub("", text + end)


def test_genes_with_a_protein_change_tell_what_a_reading_of_them_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    # Beside plain genes: one that a negation, a drug, a class, a hint for values or a pair of genes begins, and some that are none.
    genes = (
        "TP53",
        "KRAS",
        "NOTCH1",
        "NKX2-1",
        "HLA-A",
        "CEA",
        "PSA",
        "MSI",
        "HR",
        "ER",
        "AGE",
        "C11orf30",
        "PD-L1",
        "LINE",
        "NOGENE",
        "BRAF",
    )
    changes = ("R248Q", "V600E", "G12C", "Q37*", "K1006Rfs*4", "S295fs*12", "X1010_splice", "Y27del", "H1A", "I4V", "L1L", "B9A", "R1S")
    others = ("E746_A750del", "I20?", "V600E/K", "R248Q, R273H", "G12C inhibitor")
    every = [(section, f"{gene} {change}") for section in SECTIONS for gene in genes for change in (*changes, *others)]
    assert {text for _, text in every if not changed_gene(text)} == {f"{gene} {word}" for gene in genes for word in ("G12C", *others)}
    every.append(("genomics", "TP53 R248Q (12 days before treatment)"))
    found = [told(*one) for one in every]
    record._told.cache_clear()
    monkeypatch.setattr(record, "changed_gene", lambda bare: None)
    for one, what in zip(every, found, strict=True):
        assert told(*one) == what, one
    record._told.cache_clear()


def test_no_drug_s_name_begins_with_a_number_alone() -> None:
    assert not [word for word in phrases() if word.isdigit()]
