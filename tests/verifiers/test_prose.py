"""Free prose, as a language model or a clinician writes it: what is true passes, and each way of spoiling one fact of it is found."""

import pytest

from oncoraft.verifiers.claims import read_claims
from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.record import Record
from tests.verifiers.examples import COLON, LUNG, UNSEQUENCED

SOUND = [
    (
        LUNG,
        0.7,
        (
            "Osimertinib is a third-generation EGFR TKI with activity against both sensitizing mutations and T790M, and this tumour "
            "harbours EGFR L858R and the T790M resistance mutation acquired after erlotinib, making it an ideal candidate. On the "
            "other hand, co-occurring TP53 R175H and CCND1 amplification have been associated with shorter benefit, and liver and "
            "bone disease with a rising CEA indicate a high disease burden. The patient's ECOG of 1 should allow full dosing. "
            "Overall, a benefit is likely."
        ),
    ),
    (
        LUNG,
        1.0,
        (
            "The presence of EGFR L858R and T790M strongly supports sensitivity to osimertinib, which inhibits mutant EGFR "
            "including the gatekeeper mutation. Clinically, an ECOG performance status of 1 indicates adequate fitness. Negative "
            "factors include TP53 R175H, liver metastases and stage 4 disease at diagnosis. Overall, the patient is very likely to "
            "benefit from treatment."
        ),
    ),
    (
        LUNG,
        0.0,
        (
            "Although EGFR L858R and T790M are targets of osimertinib, several features point to a short course. TP53 R175H and "
            "CCND1 amplification drive resistance to EGFR inhibition, the liver is involved, and CEA has risen. The disease "
            "progressed on the last CT after erlotinib. Overall, a benefit is very unlikely."
        ),
    ),
    (
        LUNG,
        0.3,
        (
            "Key genetic factors: EGFR L858R and EGFR T790M are actionable, but TP53 R175H and CCND1 amplification are adverse co- "
            "alterations.\n"
            "Critical clinical determinants: ECOG 1 is acceptable; liver metastases, bone metastases and rising CEA (14.9 ng/ml) "
            "are unfavourable; the tumour is microsatellite stable with low TMB (4.32 mutations per megabase).\n"
            "Overall, a lasting benefit is rather unlikely."
        ),
    ),
    (
        COLON,
        0.0,
        (
            "KRAS G12D activates signalling downstream of EGFR, so cetuximab is expected to be ineffective and irinotecan would "
            "have to carry the regimen alone. The patient has already received oxaliplatin, this is line 3, and an ECOG of 2 limits "
            "intensity. There was no progression on the latest CT, which is a mildly encouraging sign, and disease is limited to "
            "the lung. Overall, a benefit is very unlikely."
        ),
    ),
    (
        COLON,
        0.3,
        (
            "In this colorectal cancer, the KRAS G12D mutation predicts resistance to anti-EGFR antibodies such as cetuximab. APC "
            "Q1378* is a common truncal event without bearing on the choice of drugs. Microsatellite stability means that "
            "immunotherapy would not be an option. Irinotecan, a topoisomerase I inhibitor, may still bring some disease control. "
            "The third-line setting and ECOG 2 argue against a deep answer. Overall a benefit is unlikely."
        ),
    ),
    (
        COLON,
        0.7,
        (
            "Irinotecan traps topoisomerase I and remains active after oxaliplatin. There is no BRAF V600E mutation, and no liver "
            "or brain metastases are seen; lung metastases alone grow slowly. Imaging showed no progression. KRAS G12D is a "
            "drawback for cetuximab. On balance, I lean towards a benefit, which is likely though not certain."
        ),
    ),
    (
        UNSEQUENCED,
        0.7,
        (
            "Docetaxel freezes microtubules and stops cell division, and it is an established first-line choice in prostate cancer. "
            "No sequencing is available, so no molecular marker can guide the judgement. An ECOG performance status of 1 supports "
            "treatment. Overall, a benefit is likely."
        ),
    ),
]


@pytest.mark.parametrize(("record", "score", "text"), SOUND)
def test_sound_prose_passes(record: Record, score: float, text: str) -> None:
    found = verify(text, record, score)
    assert found.accepted, (found.failed, found.spans())
    assert found.scores["factual"] == 1.0


SPOILT = [
    ("EGFR L858R", "EGFR L861Q", "factual"),
    ("EGFR L858R", "EGFR p.Leu861Gln", "factual"),
    ("EGFR L858R", "Kras G12D", "factual"),
    ("EGFR L858R", "an EGFR exon 19 deletion", "factual"),
    ("EGFR L858R", "KRAS L858R", "factual"),
    ("TP53 R175H", "BRCA2 R175H", "factual"),
    ("TP53 R175H", "BRCA1 loss", "factual"),
    ("TP53 R175H", "an EML4-ALK fusion", "factual"),
    ("TP53 R175H", "TP53 wild-type status", "factual"),
    ("CCND1 amplification", "CCND1 deletion", "factual"),
    ("ECOG of 1", "ECOG of 0", "factual"),
    ("ECOG of 1", "performance status of two", "factual"),
    ("making it an ideal candidate", "making gefitinib an ideal candidate", "factual"),
    ("Osimertinib", "Sotorasib", "factual"),
    ("third-generation EGFR TKI", "third-generation MET inhibitor", "factual"),
    ("after erlotinib", "after afatinib", "factual"),
    ("liver and bone disease", "liver and brain disease", "factual"),
    ("rising CEA", "falling CEA", "factual"),
    ("rising CEA", "rising PSA", "factual"),
    ("rising CEA", "CEA of 55 ng/ml", "factual"),
    ("high disease burden", "high disease burden, in a tumour with microsatellite instability", "factual"),
    ("high disease burden", "high disease burden after two prior lines", "factual"),
    ("high disease burden", "high disease burden, and HER2-positive disease", "factual"),
    ("a benefit is likely", "a benefit is unlikely", "consistency"),
    ("a benefit is likely", "a benefit is likely (score: 0.7)", "no_outcome"),
    ("a benefit is likely", "a partial response is likely", "no_outcome"),
]


@pytest.mark.parametrize(("true", "false", "verifier"), SPOILT)
def test_one_spoilt_fact_in_sound_prose_is_found_and_shown(true: str, false: str, verifier: str) -> None:
    record, score, text = SOUND[0]
    assert true in text
    spoilt = text.replace(true, false)
    found = verify(spoilt, record, score)
    assert verifier in found.failed
    bad = [spoilt[finding.span.start : finding.span.end] for finding in found.verdicts[verifier].findings if finding.outcome != "supported"]
    assert bad


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("There is no EGFR L858R.", {("EGFR", "L858R", True)}),
        ("EGFR L858R, not KRAS G12D.", {("EGFR", "L858R", False), ("KRAS", "G12D", True)}),
        ("No liver, bone or brain disease was seen.", {("site", "liver", True), ("site", "bone", True), ("site", "brain", True)}),
        ("No progression and ECOG 0.", {("ecog", "0", False)}),
        ("No progression on the last CT, and ECOG 0.", {("progression", "yes", True), ("ecog", "0", False)}),
        ("Neither KRAS G12D nor BRAF V600E is present.", {("KRAS", "G12D", True), ("BRAF", "V600E", True)}),
        ("KRAS G12D is absent.", {("KRAS", "G12D", True)}),
        ("KRAS G12D does not stop osimertinib.", {("KRAS", "G12D", False), ("OSIMERTINIB", "", False)}),
        ("She does not receive osimertinib.", {("OSIMERTINIB", "", True)}),
        ("ECOG is not 0.", {("ecog", "0", True)}),
        ("Not only EGFR L858R but also ECOG 0.", {("EGFR", "L858R", False), ("ecog", "0", False)}),
        ("It isn't true that ECOG is 0.", {("ecog", "0", True)}),
        ("KRAS wild-type.", {("KRAS", "any", True)}),
        ("The tumour is EGFR-mutant and HER2-negative.", {("EGFR", "mutation", False), ("her2", "negative", False)}),
        (
            "Gleason 4+3, egfr l858r, CA 15-3 is falling.",
            {("gleason", "7", False), ("EGFR", "L858R", False), ("marker:ca15-3", "falling", False)},
        ),
    ],
)
def test_facts_and_their_denial_are_read(text: str, expected: set[tuple[str, str, bool]]) -> None:
    assert {(claim.subject, claim.value, claim.denied) for claim in read_claims(text)} == expected


@pytest.mark.parametrize(
    "text", ["We met the rest of the team.", "DNA and RNA, PET and CT, ECOG and MSI.", "It is set to act in the long run."]
)
def test_english_words_and_abbreviations_are_no_genes(text: str) -> None:
    assert not [claim for claim in read_claims(text) if claim.kind in ("gene", "alteration")]
