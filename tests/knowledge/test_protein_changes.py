"""A protein change has one normal form, whichever of the notations of practice it is written in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.knowledge.protein_changes import RESIDUES, SETTLED, is_silent_class, is_unchanged, protein_change

LONG = {short: long.capitalize() for long, short in RESIDUES.items() if long not in ("TER", "STOP", "XAA")}
residues = st.sampled_from(sorted(LONG))
places = st.integers(1, 4000)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, str]:
    """A change in one-letter residues, and in three-letter ones."""
    one, two, three = draw(residues), draw(residues), draw(st.text("".join(sorted(LONG)), min_size=1, max_size=4))
    at, length = draw(places), draw(st.integers(1, 60))
    long_three = "".join(LONG[letter] for letter in three)
    end = at + length
    forms = [
        (f"{one}{at}{two if two != one else '*'}", f"{LONG[one]}{at}{LONG[two] if two != one else 'Ter'}"),
        (f"{one}{at}*", f"{LONG[one]}{at}Ter"),
        (f"{one}{at}=", f"{LONG[one]}{at}="),
        (f"{one}{at}del", f"{LONG[one]}{at}del"),
        (f"{one}{at}_{two}{end}del", f"{LONG[one]}{at}_{LONG[two]}{end}del{long_three}"),
        (f"{one}{at}_{two}{end}dup", f"{LONG[one]}{at}_{LONG[two]}{end}dup"),
        (f"{one}{at}_{two}{at + 1}ins{three}", f"{LONG[one]}{at}_{LONG[two]}{at + 1}ins{long_three}"),
        (f"{one}{at}_{two}{end}delins{three}", f"{LONG[one]}{at}_{LONG[two]}{end}delins{long_three}"),
        (f"{one}{at}{two}fs*{length}", f"{LONG[one]}{at}{LONG[two]}fsTer{length}"),
        (f"{one}{at}fs", f"{LONG[one]}{at}fs"),
        (f"*{at}{two}ext*{length}", f"Ter{at}{LONG[two]}extTer{length}"),
        ("M1?", "Met1?"),
    ]
    return draw(st.sampled_from(forms))


@given(change=changes(), wrap=st.sampled_from(("{}", "p.{}", "p.({})", "({})", "KRAS:p.{}", "NP_004976.2:p.({})", " {} ")))
def test_three_letter_and_one_letter_forms_agree(change: tuple[str, str], wrap: str) -> None:
    short, long = change
    assert protein_change(wrap.format(short)) == short
    assert protein_change(wrap.format(long)) == short


@given(change=changes(), upper=st.booleans())
def test_the_case_does_not_matter(change: tuple[str, str], upper: bool) -> None:
    for form in change:
        assert protein_change(form.upper() if upper else form.lower()) == change[0]


@given(text=st.text(max_size=30))
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    first = protein_change(text)
    assert first is None or protein_change(first) == first


@given(one=residues, at=places)
def test_the_same_residue_before_and_after_is_no_change(one: str, at: int) -> None:
    for form in (f"{one}{at}{one}", f"p.{one}{at}=", f"p.({LONG[one]}{at}{LONG[one]})", f"p.{LONG[one]}{at}="):
        assert protein_change(form) == f"{one}{at}="
        assert is_unchanged(f"{one}{at}=")


@pytest.mark.parametrize(
    "text", ["", " ", "NA", "n/a", "?", "p.?", "p.(?)", ".", "-", "[Not Available]", "null", "None", "NaN", "unknown", "p.", "p.0?"]
)
def test_what_tells_no_change_is_missing(text: str) -> None:
    assert protein_change(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("R213X", "R213*"),
        ("p.K1006RfsX4", "K1006Rfs*4"),
        ("E746_A750delELREA", "E746_A750del"),
        ("p.E746_T751>A", "E746_T751delinsA"),
        ("p.D770_N771insSVDEL", "D770_N771insSVDEL"),
        ("X1010_splice", "X1010_splice"),
        ("M1_?", "M1?"),
        ("p.=", "="),
        ("promoter", "promoter"),
        ("p.Leu858%3D", "L858="),
        ("p.R132H (c.395G>A)", "R132H"),
        ("p.Arg132His/c.395G>A", "R132H"),
    ],
)
def test_older_notations(text: str, expected: str) -> None:
    assert protein_change(text) == expected


@pytest.mark.parametrize(
    "word",
    [
        "Silent",
        "silent",
        "SILENT",
        "synonymous_variant",
        "Intron",
        "5'UTR",
        "3_prime_UTR_variant",
        "5'FLANK",
        "rna",
        "synonymous SNV",
        "UTR3",
        "intronic",
        "upstream;downstream",
        "intron_variant,synonymous_variant",
    ],
)
def test_silent_classes_are_known_in_any_case(word: str) -> None:
    assert is_silent_class(word)
    assert not is_silent_class("Missense_Mutation")
    assert not is_silent_class(f"{word},missense_variant")


@given(st.from_regex(SETTLED.removesuffix("$"), fullmatch=True))
def test_the_pattern_of_settled_changes_gives_the_normal_form(text: str) -> None:
    found = re.fullmatch(SETTLED, text)
    assert found is not None
    assert found[1] == protein_change(text)
