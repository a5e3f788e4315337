"""Words of the source as a reader expects them."""

import pandas as pd
import pytest

from oncoraft.evidence.words import clean
from oncoraft.knowledge.clinical_tables import ETHNICITIES, RACES
from oncoraft.knowledge.timeline_tables import SUMMARIES


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Regional both 2and 3", "regional by direct extension and to lymph nodes"),
        ("REGIONAL, BOTH 2 AND 3", "regional by direct extension and to lymph nodes"),
        ("Regional, lymph nodes only", "regional to lymph nodes"),
        ("Regional nos", "regional"),
        ("BREAST, UOQ", "breast, upper-outer quadrant"),
        ("BREAST, LIQ", "breast, lower-inner quadrant"),
        ("LUNG, NOS", "lung"),
        ("ADENOCARCINOMA, NOS", "adenocarcinoma"),
        ("0:LIVING", "living"),
        ("1: Yes", "yes"),
        ("Spanish  NOS; Hispanic NOS, Latino NOS", "spanish, hispanic or latino"),
        ("Other", None),
        ("Other, NOS", None),
        ("Not disclosed", None),
        ("N/A", None),
        ("  ", None),
        (None, None),
    ],
)
def test_codes_abbreviations_and_empty_words_are_settled(word: str | None, expected: str | None) -> None:
    (found,) = clean(pd.Series([word], dtype=object))
    assert (None if pd.isna(found) else found) == expected


def test_every_word_of_the_known_vocabularies_is_lower_case_and_free_of_codes() -> None:
    found = clean(pd.Series([*RACES, *ETHNICITIES, *SUMMARIES])).dropna()
    assert (found == found.str.lower()).all()
    assert not found.str.contains(r"\bnos\b|\d|  |/systemic|subcont|unknown|n/a").any()
    assert clean(found).equals(found)  # cleaned once is clean
