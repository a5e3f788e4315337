"""Genomic claims: every notation of a protein change is read, and absence is borne out only by what was looked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.verifiers.claims import read_claims
from oncoraft.verifiers.factual import factual
from oncoraft.verifiers.finding import Outcome
from oncoraft.verifiers.record import Record
from oncoraft.verifiers.vocabulary import named_drugs

NONE = {
    "mutations": "no mutation found in the sequenced genes",
    "copy number": "no copy-number alteration found in the sequenced genes",
    "structural variants": "no structural variant found in the sequenced genes",
}


def record(*genomics: str) -> Record:
    return Record.from_statements([("drugs", "osimertinib (EGFR inhibitor)"), *(("genomics", text) for text in genomics)])


def outcome(text: str, *genomics: str) -> Outcome:
    """What is found of the last claim of a text."""
    return factual(text, read_claims(text), record(*genomics)).findings[-1].outcome


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("EGFR p.Glu746_Ala750del", "E746_A750del"),
        ("EGFR p.(Glu746_Ala750del)", "E746_A750del"),
        ("EGFR E746_A750delELREA", "E746_A750del"),
        ("EGFR p.Ala767_Val769dup", "A767_V769dup"),
        ("EGFR A767_V769dup", "A767_V769dup"),
        ("EGFR p.Leu747_Pro753delinsSer", "L747_P753delinsS"),
        ("EGFR D770_N771insSVD", "D770_N771insSVD"),
        ("VHL M1?", "M1?"),
        ("VHL p.Met1?", "M1?"),
        ("PTEN p.Lys6ArgfsTer4", "K6Rfs*4"),
        ("TP53 p.Arg213Ter", "R213*"),
        ("TP53 R213*", "R213*"),
        ("MET X1010_splice", "X1010_splice"),
        ("KRAS p.(Gly12Cys)", "G12C"),
        ("BRAF V600E/K", "V600E/V600K"),
        ("APC *2844Yext*5", "*2844Yext*5"),
    ],
)
def test_every_notation_of_a_protein_change_is_read_as_one_claim(text: str, value: str) -> None:
    (claim,) = [claim for claim in read_claims(f"The tumour carries {text}, which matters.") if claim.kind != "number"]
    assert (claim.kind, claim.subject, claim.value) == ("alteration", text.split()[0], value)


@pytest.mark.parametrize("text", ["p.Glu746_Ala750del", "A767_V769dup", "M1?", "V600E/K", "p.Lys6ArgfsTer4"])
def test_a_change_without_its_gene_is_a_claim_too(text: str) -> None:
    claims = read_claims(f"It carries {text} there.")
    assert [claim.kind for claim in claims] == ["change"]
    assert outcome(f"It carries {text} there.", "KRAS G12D") == "contradicted"


def test_one_of_two_changes_named_together_is_enough() -> None:
    for shown in ("BRAF V600E", "BRAF V600K"):
        assert outcome("BRAF V600E/K is there.", shown) == "supported"
    assert outcome("BRAF V600E/K is there.", "BRAF V600R") == "contradicted"
    assert outcome("V600E/K is there.", "BRAF V600K") == "supported"


@given(kind=st.sampled_from(("G12C", "p.G12C", "p.(Gly12Cys)", "Gly12Cys")), shown=st.sampled_from(("KRAS G12C", "KRAS p.G12C")))
def test_prompt_and_rationale_may_differ_in_notation(kind: str, shown: str) -> None:
    assert outcome(f"KRAS {kind} is there.", shown) == "supported"
    assert outcome(f"KRAS {kind.replace('12', '13')} is there.", shown) == "contradicted"


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("There is no EGFR mutation.", {"mutations"}),
        ("There is no EGFR L858R.", {"mutations"}),
        ("There is no EGFR exon 19 deletion.", {"mutations"}),
        ("The tumour is KRAS wild-type.", {"mutations"}),
        ("There is no ERBB2 amplification.", {"copy number"}),
        ("There is no CDKN2A loss.", {"copy number"}),
        ("There is no ALK fusion.", {"structural variants"}),
        ("There is no ALK rearrangement.", {"structural variants"}),
        ("There is no EGFR alteration.", {"mutations", "copy number", "structural variants"}),
    ],
)
def test_a_denial_holds_only_where_its_kind_was_looked_for(text: str, needed: set[str]) -> None:
    everything = list(NONE.values())
    assert outcome(text, *everything) == "supported"
    assert outcome(text) == "unsupported"
    for kind in NONE:
        others = [sentence for name, sentence in NONE.items() if name != kind]
        assert outcome(text, *others) == ("unsupported" if kind in needed else "supported")


def test_findings_of_a_kind_show_that_it_was_looked_for() -> None:
    assert outcome("There is no EGFR mutation.", "TP53 R175H") == "supported"
    assert outcome("There is no ERBB2 amplification.", "TP53 R175H") == "unsupported"
    assert outcome("There is no EGFR mutation.", "CCND1 amplification") == "unsupported"
    assert (
        outcome("There is no EGFR mutation.", "tumour mutational burden low (2 mutations per megabase)", "microsatellite stable")
        == "unsupported"
    )


def test_an_alteration_that_was_not_looked_for_is_unsupported_and_one_that_was_is_contradicted() -> None:
    assert outcome("EGFR L858R is there.") == "unsupported"
    assert outcome("EGFR L858R is there.", NONE["mutations"]) == "contradicted"


def test_a_rearrangement_is_no_fusion_but_a_fusion_is_a_rearrangement() -> None:
    assert outcome("An EML4-ALK fusion is there.", "ALK-EML4 rearrangement") == "contradicted"
    assert outcome("An ALK rearrangement is there.", "ALK-EML4 rearrangement") == "supported"
    assert outcome("An ALK rearrangement is there.", "ALK-EML4 fusion") == "supported"
    assert outcome("An ALK fusion is there.", "ALK-EML4 fusion") == "supported"


def test_two_genes_with_a_stroke_between_are_no_fusion() -> None:
    assert {claim.value for claim in read_claims("BRCA1/BRCA2 were looked at.") if claim.kind == "alteration"} == set()


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("Tagrisso", {"OSIMERTINIB"}),
        ("trastuzumab-dkst", {"TRASTUZUMAB"}),
        ("Ogivri", {"TRASTUZUMAB"}),
        ("Enhertu", {"FAM-TRASTUZUMAB DERUXTECAN"}),
        ("TAS-102", {"TIPIRACIL-TRIFLURIDINE"}),
        ("mFOLFOX6", {"FLUOROURACIL", "OXALIPLATIN"}),
        ("Vitamin B12", {"CYANOCOBALAMIN"}),
    ],
)
def test_names_of_practice_are_drugs_in_prose_too(text: str, agents: set[str]) -> None:
    assert {agent for name in named_drugs(f"She takes {text} now.") for agent in name.values} == agents
