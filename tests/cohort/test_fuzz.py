"""A few corrupted studies, the same each time; `benchmarks/fuzz.py` runs thousands and replays any."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from oncoraft.cli import main

from ..hostile.adding_up import check_ledger
from ..hostile.corruptions import corrupted_copy
from ..hostile.judging import FAILURE, REFUSAL, RESULT, judged

SEED, STUDIES = 7, 25


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("fuzz") / "clean"
    assert main(["twin", "--patients", "60", "--seed", "5", "--processes", "1", "--out", str(study)]) == 0
    return study


def test_corrupted_tables_give_a_ledger_that_adds_up_or_one_line(clean: Path, tmp_path: Path) -> None:
    outcomes = {}
    for number in range(STUDIES):
        told = corrupted_copy(clean, tmp_path / str(number) / "study", SEED, number)
        outcomes[number] = (judged(tmp_path / str(number), ["ingest"]), told)
    assert {number: found for number, found in outcomes.items() if found[0].kind == FAILURE} == {}
    assert {outcome.kind for outcome, _ in outcomes.values()} == {RESULT, REFUSAL}


@pytest.mark.parametrize("number", random.Random(SEED).sample(range(STUDIES), 4))
def test_corrupted_tables_give_cases_and_prompts_that_add_up_or_one_line(number: int, clean: Path, tmp_path: Path) -> None:
    told = corrupted_copy(clean, tmp_path / "study", SEED, number)
    outcome = judged(tmp_path)
    assert outcome.kind != FAILURE, (outcome, told)


def test_a_corruption_is_the_same_for_its_seed_and_number(clean: Path, tmp_path: Path) -> None:
    told = [corrupted_copy(clean, tmp_path / name, SEED, 3) for name in ("first", "second")]
    assert told[0] == told[1]
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert all((tmp_path / "first" / path).read_bytes() == (tmp_path / "second" / path).read_bytes() for path in files)


def test_the_judge_finds_stray_words_two_lines_and_a_ledger_that_misses_a_row(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrupted_copy(clean, tmp_path / "study", SEED, 0)
    assert judged(tmp_path, ["ingest"]).kind == RESULT
    with (tmp_path / "study" / "data_timeline_mmr.txt").open("a") as stream:
        stream.write("\nP-0000001")
    with pytest.raises(AssertionError, match="timeline_mmr"):
        check_ledger(tmp_path / "study", tmp_path / "tables")
    for said in ((0, ["a stray word"]), (2, ["error: one", "error: two"]), (2, []), (1, [])):
        monkeypatch.setattr("tests.hostile.judging.called", lambda step, work, said=said: said)
        assert judged(tmp_path, ["ingest"]).kind == FAILURE
