"""A regimen read from free text: the pitfalls of real writing, and what cannot be read is said to be so."""

import pytest
from hypothesis import given
from hypothesis import strategies as draw

from oncoraft.tasks.regimen_text import Phase, Regimen, modality_of, parse_regimen, same_dose, same_record


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("50 Gy in 25 fx", [(50, 25)]),
        ("2 Gy x 25 fractions = 50 Gy", [(50, 25)]),
        ("25 x 2 Gy", [(50, 25)]),
        ("1,000cGy x 5 fractions", [(50, 5)]),
        ("50 Gy in 25 daily fractions", [(50, 25)]),
        ("60 Gy; 30 fractions", [(60, 30)]),
        ("Dose: 60 Gy; Fractions: 30", [(60, 30)]),
        ("Total dose 60 Gy, number of fractions 30", [(60, 30)]),
        ("Dose per fraction: 2 Gy; number of fractions: 30", [(60, 30)]),
        ("45 Gy - 25 fractions, then 9 Gy - 5 fractions", [(45, 25), (9, 5)]),
        ("54 Gy in three fractions", [(54, 3)]),
        ("60 Gy divided into thirty fractions", [(60, 30)]),
        ("70 Gy in thirty three fractions", [(70, 33)]),
        ("48 Gy in twenty-four fractions", [(48, 24)]),
        ("6 Gy/fraction 30 Gy, 5 fractions", [(30, 5)]),
        ("60 Gy, 30 fractions: 5 per week", [(60, 30)]),
        ("60 Gy; 30 fractions; boost 10 Gy; 5 fractions", [(60, 30), (10, 5)]),
        ("60 Gy (RBE) in 30 fx", [(60, 30)]),
        ("60 CGE in 30 fractions", [(60, 30)]),
        ("60 GyE/30 fx", [(60, 30)]),
        ("60 Gy[RBE] in 30 fractions", [(60, 30)]),
        ("5,000 cGy in 25 fractions", [(50, 25)]),
        ("5000 rad in 25 fractions", [(50, 25)]),
        ("50,4 Gy in 28 fractions", [(50.4, 28)]),
        ("50.4 Gy in 28 fractions + boost 9 Gy in 5", [(50.4, 28), (9, 5)]),
        ("40.05 Gy in 15 fractions followed by a boost of 10 Gy in 5 fractions", [(40.05, 15), (10, 5)]),
        ("50Gy/25#", [(50, 25)]),
        ("8 Gy x 1", [(8, 1)]),
        ("8 Gy in a single fraction", [(8, 1)]),
        ("60 Gy at 2 Gy per fraction", [(60, 30)]),
        ("2 Gy per fraction to a total of 50 Gy", [(50, 25)]),
        ("25 fractions of 200 cGy", [(50, 25)]),
        ("10 fractions, total 30 Gy", [(30, 10)]),
        ("1.8 Gy x 28 fractions, total dose 50.4 Gy", [(50.4, 28)]),
        ("60 Gy x 30", [(60, 30)]),
        ("5 \u00d7 5 Gy", [(25, 5)]),
        ("60 Gy in 2 Gy fractions", [(60, 30)]),
        ("50.4 Gy in 1.8 Gy daily fractions", [(50.4, 28)]),
        ("30 Gy x 10", [(30, 10)]),
        ("1.8 Gy/fr to 50.4 Gy", [(50.4, 28)]),
        ("25 fr of 2 Gy", [(50, 25)]),
        ("1.5 Gy BID x 30", [(45, 30)]),
        ("66 Gy (2.2 Gy x 30)", [(66, 30)]),
        ("50 Gy in 25 fractions (25 x 2 Gy)", [(50, 25)]),
        ("50 Gy in 5 fractions (BED 100 Gy)", [(50, 5)]),
    ],
)
def test_dose_and_fractions_are_read_however_they_are_written(text: str, phases: list[tuple[float, int]]) -> None:
    found = parse_regimen(text)
    assert found is not None
    assert [(phase.dose, phase.fractions) for phase in found.phases] == pytest.approx(phases)


@pytest.mark.parametrize(
    "text",
    [
        "60 Gy",
        "palliative radiotherapy",
        "45-50 Gy in 25 fractions",
        "50 Gy in 5 weeks",
        "",
        "50 Gy in 0 fractions",
        "60 Gy at 7 Gy per fraction",
        "50 Gy in 25-30 fractions",
        "50 Gy in 25 to 28 fx",
        "55 Gy in 20 fractions or 60 Gy in 30 fractions",
        "50 Gy in 25 fractions to the breast, 10 Gy in 5 fractions to the bed",
        "50 Gy in 25 fractions with a 10 Gy in 5 fractions boost",
        "60 Gy in 30 fractions, 5 x 2 Gy a week",
        "59.4 Gy/33 fx (45 Gy/25 + 14.4 Gy/8)",
        "60 Gy in 5 fractions per week",
        "60 Gy; 10 fractions of 2 Gy",
        "60 Gy - 66 Gy in 30 fractions",
        "2 Gy fractions: 30",
        "45 Gy in one hundred fractions",
        "60 Gy in two daily fractions of 1.5 Gy",
        "60 Gy in 2 daily fractions of 1.5 Gy",
        "60 Gy, one fraction daily",
        "60 Gy with four field treatments",
        "60 Gy with 6 treatments of cisplatin",
        "60 Gy with 5 boost fractions",
        "45 Gy with 25 fractions with 9 Gy in 5 fractions boost",
        "50 Gy; 5 fractions missed",
        "60 Gy; 10 fractions boost 20 Gy",
        "60 Gy; 10 fractions (2 Gy)",
        "2 Gy; 30 fractions",
        "2 Gy - 25 fractions - 50 Gy",
        "70 Gy to the tumour and 56 Gy to the nodes in 35 fractions",
        "70/63/56 Gy in 35 fractions",
        "50.4 Gy with simultaneous integrated boost to 60 Gy in 28 fractions",
        "60 Gy and 54 Gy in 30 fractions",
        "4500 Gy in 25 fractions",
        "4500 cGy",
        "60/30",
        "60 Gy/2",
        "30 Gy/3",
    ],
)
def test_what_does_not_say_dose_and_fractions_is_not_read(text: str) -> None:
    assert parse_regimen(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "total {total} Gy, dose per fraction 2 Gy, 25 fractions",
        "dose per fraction 2 Gy, total {total} Gy, 25 fractions",
        "dose per fraction 2 Gy, 25 fractions, total {total} Gy",
        "{total} Gy in 25 fractions, 2 Gy per fraction",
        "{total} Gy in 25 fractions (200 cGy per fraction)",
        "{total} Gy, 25 fractions, 2 Gy per fraction",
        "{total} Gy, 25 fractions of 2 Gy",
        "{total} Gy (25 x 2 Gy)",
        "{total} Gy at 2 Gy per fraction in 25 fractions",
        "2 Gy x 25 = {total} Gy",
        "2 Gy x 25 fractions for a total of {total} Gy",
        "2 Gy per fraction, 25 fractions, {total} Gy",
    ],
)
def test_a_total_that_is_not_the_fractions_times_their_dose_is_refused_in_any_order(text: str) -> None:
    agreeing = parse_regimen(text.format(total=50))
    assert agreeing is not None
    assert [(phase.dose, phase.fractions) for phase in agreeing.phases] == [(50, 25)]
    assert parse_regimen(text.format(total=60)) is None


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("15 x 2.67 Gy, total 40 Gy", [(40.05, 15)]),
        ("45 Gy in 25 fractions + 9 Gy in 5 fractions, total 54 Gy", [(45, 25), (9, 5)]),
        ("50 Gy in 5 fractions, EQD2 of 83.3 Gy", [(50, 5)]),
        ("54 Gy, 30 fractions, 1.8 Gy per fraction", [(54, 30)]),
    ],
)
def test_rounding_the_sum_of_phases_and_what_a_dose_is_worth_contradict_nothing(text: str, phases: list[tuple[float, int]]) -> None:
    found = parse_regimen(text)
    assert found is not None
    assert [(phase.dose, phase.fractions) for phase in found.phases] == pytest.approx(phases)


@pytest.mark.parametrize(
    "often", ["5 fractions weekly", "5 fractions per week", "5 fx/wk", "five fractions weekly", "2 fractions daily", "2 daily fractions"]
)
def test_fractions_of_a_week_or_a_day_are_not_those_of_the_course(often: str) -> None:
    assert parse_regimen(f"60 Gy in {often}") is None
    assert parse_regimen(f"60 Gy, {often}") is None
    for text in (f"60 Gy in 30 fractions, {often}", f"60 Gy at 2 Gy per fraction, {often}"):
        found = parse_regimen(text)
        assert found is not None
        assert [(phase.dose, phase.fractions) for phase in found.phases] == [(60, 30)]


@pytest.mark.parametrize("text", ["2 Gy x 5 fractions weekly", "5 x 2 Gy per week", "5 fractions of 2 Gy per week"])
def test_what_a_week_brings_is_not_the_course(text: str) -> None:
    assert parse_regimen(text) is None


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("60 Gy in 30 fx, 5x/week", [(60, 30)]),
        ("5 x 7 Gy", [(35, 5)]),
        ("66 Gy/33#", [(66, 33)]),
        ("4500 cGy in 25", [(45, 25)]),
        ("60 Gy in 30 fractions daily", [(60, 30)]),
        ("28.5 Gy in 5 weekly fractions", [(28.5, 5)]),
        ("45 Gy in 1.5 Gy fractions BID", [(45, 30)]),
    ],
)
def test_schedules_beside_dose_and_fractions_do_not_disturb_them(text: str, phases: list[tuple[float, int]]) -> None:
    found = parse_regimen(text)
    assert found is not None
    assert [(phase.dose, phase.fractions) for phase in found.phases] == phases


@pytest.mark.parametrize(
    "text",
    [
        "2 Gy x 5 x 6 weeks",
        "2 Gy x 5 days a week x 6 weeks",
        "1.5 Gy x 2 daily x 15 days",
        "8 Gy x 3 lesions",
        "20 Gy in 5 fractions x 2",
        "5.040 cGy in 28 fractions",
        "50.4 Gy in 28 fractions followed by a boost to 59.4 Gy in 5 fractions",
        "planned 60 Gy in 30 fractions; received 40 Gy in 20 fractions",
        "20/30 fractions of 2 Gy",
        "completed 20 of 30 fractions of 2 Gy",
        "40 of 60 Gy in 30 fractions",
        "BED of 60 Gy in 30 fractions",
        "60 Gy BED in 20 fractions",
        "2 Gy, 30 fractions",
        "30 fractions, 2 Gy",
        "3 Gy/10",
    ],
)
def test_a_dose_beside_fractions_that_are_not_its_course_is_not_read(text: str) -> None:
    assert parse_regimen(text) is None


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("60 Gy in 2-Gy fractions", [(60, 30)]),
        ("60-Gy in 30 fractions", [(60, 30)]),
        (".5 Gy x 6", [(3, 6)]),
        ("completed 30/30 fractions of 2 Gy", [(60, 30)]),
        ("planned 60 Gy in 30 fractions", [(60, 30)]),
        ("40 Gy in 15 fractions + boost to tumour bed 10 Gy in 5 fractions", [(40, 15), (10, 5)]),
        ("7 Gy, 5 fractions", [(7, 5)]),
    ],
)
def test_hyphens_points_and_words_about_a_course_take_nothing_from_it(text: str, phases: list[tuple[float, int]]) -> None:
    found = parse_regimen(text)
    assert found is not None
    assert [(phase.dose, phase.fractions) for phase in found.phases] == pytest.approx(phases)


def test_phases_add_up() -> None:
    found = parse_regimen("50.4 Gy in 28 fractions + boost 9 Gy in 5")
    assert found is not None
    assert (round(found.dose, 2), found.fractions) == (59.4, 33)


@pytest.mark.parametrize("text", ["45 Gy in 30 fractions BID", "45 Gy in 30 fractions b.i.d.", "45 Gy in 30 fractions, twice daily"])
def test_twice_daily_is_another_regimen_though_dose_and_fractions_agree(text: str) -> None:
    once, twice = parse_regimen("45 Gy in 30 fractions"), parse_regimen(text)
    assert once is not None
    assert twice is not None
    assert twice.is_twice_daily
    assert same_dose(once, twice)
    assert not same_record(once, twice)


def test_units_of_protons_keep_their_number_and_a_flag() -> None:
    found = parse_regimen("60 Gy (RBE) in 30 fractions, protons")
    assert found is not None
    assert found.is_rbe
    assert found.modality == "proton"
    assert found.dose == 60


def test_words_that_differ_may_say_the_same_and_words_that_agree_may_not() -> None:
    first, same, other = (parse_regimen(text) for text in ("50 Gy in 25 fractions", "5000 cGy in 25 fractions", "60 Gy in 25 fractions"))
    assert first is not None
    assert same is not None
    assert other is not None
    assert same_record(first, same)
    assert not same_record(first, other)


def test_the_biologically_effective_dose_is_fowlers() -> None:
    # Fowler 1989: 60 Gy in 30 fractions at alpha/beta 10 is 72 Gy; 54 Gy in 3 is 151.2.
    assert Regimen((Phase(60, 30),)).biologically_effective_dose() == pytest.approx(72)
    assert Regimen((Phase(54, 3),)).biologically_effective_dose() == pytest.approx(151.2)


@given(draw.lists(draw.tuples(draw.integers(1, 800), draw.integers(1, 60)), min_size=1, max_size=3), draw.booleans())
def test_what_is_written_is_read_again(phases: list[tuple[int, int]], is_twice: bool) -> None:
    regimen = Regimen(tuple(Phase(dose / 10, fractions) for dose, fractions in phases), is_twice)
    found = parse_regimen(regimen.text())
    assert found is not None
    assert same_record(regimen, found)


@pytest.mark.parametrize(
    ("text", "modality"),
    [
        ("Photon.", "photon"),
        ("VMAT", "photon"),
        ("pencil beam scanning", "proton"),
        ("HDR", "brachytherapy"),
        ("electrons", "electron"),
        ("photon or proton", None),
        ("no idea", None),
    ],
)
def test_a_modality_is_read_where_one_is_named(text: str, modality: str | None) -> None:
    assert modality_of(text) == modality
