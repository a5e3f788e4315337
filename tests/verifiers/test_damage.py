"""Words that run together, stutter, or are said twice are found; sound texts hold none."""

import pytest

from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.damage import damage
from tests.verifiers.examples import GOOD, LUNG

SOUND = [
    GOOD,
    "Pembrolizumab frees T cells from the brake PD-1; e.g. TMB is 1,000 per cell, dMMR and ctDNA speak for it, as does NF-kB in mCRPC.",
    "ECOG 1 allows full treatment, which favours a benefit. CEA is rising, which weighs against a benefit.",
    "Earlier osimertinib was of the same class. Earlier afatinib was of the same class.",
    "McCune-Albright syndrome is not on record, nor is a HER2low tumour.",
]


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_is_whole(text: str) -> None:
    assert damage(text) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AR amplification lets the receptor escPalbociclib holds.", "words run together"),
        ("ECOG 1 allows full treatmentPSA is falling.", "words run together"),
        ("CEA is rising5 meets a pretreated tumour.", "words run together"),
        ("Liver disease is a poor sign,ductings may follow.", "words run together"),
        ("The receptor esc\ufffd vessels are blocked.", "words run together"),
        ("A taxanetaxane is given.", "a word that stutters"),
        ("The disease progressed on the last imaging the disease progressed on the last imaging.", "said twice"),
        ("ECOG 1 allows full treatment. On the other hand, CEA rose and ECOG 1 allows full treatment.", "said twice"),
    ],
)
def test_damage_is_found_where_it_stands(text: str, reason: str) -> None:
    (found,) = damage(text)
    assert found.reason == reason


def test_one_damaged_place_costs_half_of_the_form_and_two_all_of_it() -> None:
    once = GOOD.replace("CEA is rising and", "CEA is risingTwo and")
    assert verify(GOOD, LUNG, 0.7).verdicts["form"].score == 1.0
    assert verify(once, LUNG, 0.7).verdicts["form"].score == 0.5
    assert verify(once.replace("Overall a", "Overallover a,benefit"), LUNG, 0.7).verdicts["form"].score == 0.0
