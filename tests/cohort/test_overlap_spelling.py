"""Nobody is judged because an export, a list or a configuration spells an id or a centre in another way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oncoraft.cohort.overlap import judge
from oncoraft.cohort.overlap import main as overlap
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import External
from oncoraft.prompts.outside_cases import refuse_seen

from .test_overlap import people


@pytest.mark.parametrize("who", ["GENIE-MSK-P-0000001", "genie-msk-p-0000001", "p-0000001"])
def test_a_patient_in_another_case_is_the_same_patient(who: str, tmp_path: Path) -> None:
    external = External(shared_centres=())
    kept, out, matched = judge(people(who, "P-2"), people("P-0000001"), external, set())
    assert (kept, list(out), list(matched["patient_id_there"])) == (["P-2"], [who], ["P-0000001"])
    (tmp_path / "training_patients.txt").write_text("P-0000001\n")
    with pytest.raises(InputError, match="expected a model that has seen nobody who is judged"):
        refuse_seen([who], tmp_path, external)


def test_an_id_in_its_own_case_is_matched_before_one_in_another() -> None:
    _, _, matched = judge(people("aB", "Ab"), people("Ab", "aB"), External(), set())
    assert dict(zip(matched["patient_id"], matched["patient_id_there"], strict=True)) == {"aB": "aB", "Ab": "Ab"}


@pytest.mark.parametrize(("who", "centre"), [("GENIE-MSK-P-1", "msk"), ("genie-msk-p-1", "MSK")])
def test_a_shared_centre_is_left_out_in_whatever_case(who: str, centre: str) -> None:
    kept, out, _ = judge(people(who, "GENIE-DFCI-1"), people("X"), External(shared_centres=(centre,)), set())
    assert (kept, out) == (["GENIE-DFCI-1"], {who: "of a shared centre"})


def listed(home: Path, text: bytes) -> dict[str, int]:
    """What overlap.json says where a list of patients has this text."""
    for name, ids in (("second", ("GENIE-DFCI-1", "GENIE-DFCI-2", "GENIE-UHN-3")), ("first", ("P-1",))):
        (home / name).mkdir()
        for table, frame in people(*ids).items():
            frame.to_parquet(home / name / f"{table}.parquet")
    (home / "list.txt").write_bytes(text)
    settings = {"external": {"shared_patients": str(home / "list.txt")}}
    given = [str(home / "second"), str(home / "first"), "--out", str(home / "out"), "--settings", json.dumps(settings)]
    assert overlap(given) == 0
    told = json.loads((home / "out" / "overlap.json").read_text())
    return {row["reason"]: row["patients"] for row in told["left_out"]} | {"unknown": told["listed_unknown"], "kept": told["kept"]}


def test_a_list_from_a_spreadsheet_leaves_out_whom_it_names_and_says_whom_it_does_not_find(tmp_path: Path) -> None:
    told = listed(tmp_path, b'\xef\xbb\xbfpatient_id\r\n "GENIE-DFCI-1" \r\ngenie-uhn-3\r\n\r\n')
    assert (told["on the given list"], told["kept"], told["unknown"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"DFCI-1\n", "expected ids of patients as the second cohort has them"), ("GENIE-DFCI-1\n".encode("utf-16"), "expected a list of patients in UTF-8")],
)  # fmt: skip
def test_a_list_that_names_nobody_is_refused(text: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        listed(tmp_path, text)
