"""Who of a second cohort may be judged: the planted overlap is found whole, and nobody else is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cohort.convert import main as convert
from oncoraft.cohort.ingest import main as ingest
from oncoraft.cohort.overlap import judge
from oncoraft.cohort.overlap import main as overlap
from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import External
from oncoraft.twin.twin import main as twin

SHARED = 12


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of an MSK twin and of a BPC twin, twelve patients of the one in the other."""
    home = tmp_path_factory.mktemp("cohorts")
    assert twin(["--patients", "50", "--seed", "5", "--clean", "--out", str(home / "msk"), "--processes", "1"]) == 0
    bpc = [
        "--layout",
        "genie-bpc",
        "--patients",
        "70",
        "--seed",
        "6",
        "--overlap",
        str(SHARED),
        "--overlap-seed",
        "5",
        "--out",
        str(home / "bpc"),
    ]
    assert twin(bpc) == 0
    assert convert([str(home / "bpc"), "--reader", "genie_bpc", "--out", str(home / "study")]) == 0
    for study, tables in (("msk", "first"), ("study", "second")):
        assert ingest([str(home / study), "--out", str(home / tables)]) == 0
    return home


def run(home: Path, out: Path, **settings: object) -> tuple[dict[str, object], list[str], pd.DataFrame]:
    given = [str(home / "second"), str(home / "first"), "--out", str(out), "--settings", json.dumps({"external": settings})]
    assert overlap(given) == 0
    return json.loads((out / "overlap.json").read_text()), (out / "patients.txt").read_text().split(), pd.read_csv(out / "matched.csv")


def test_the_planted_overlap_is_found_whole_and_nobody_else_is_lost(cohorts: Path, tmp_path: Path) -> None:
    counts, kept, matched = run(cohorts, tmp_path / "overlap", shared_centres=[])
    planted = {f"P-{number:07d}" for number in range(1, SHARED + 1)}
    assert set(matched["patient_id_there"]) == planted
    assert set(matched["patient_id"]) == {f"GENIE-MSK-{who}" for who in planted}
    assert (matched["matched_specimens"] >= 1).all()
    everybody = set(pd.read_parquet(cohorts / "second" / "clinical_patient.parquet")["patient_id"])
    assert set(kept) == everybody - set(matched["patient_id"])
    assert counts["kept"] == len(kept) == 70 - SHARED


def test_by_default_the_whole_shared_centre_is_left_out_and_each_reason_is_counted(cohorts: Path, tmp_path: Path) -> None:
    counts, kept, _ = run(cohorts, tmp_path / "overlap")
    assert not [who for who in kept if who.startswith("GENIE-MSK-")]
    reasons = {row["reason"]: row["patients"] for row in counts["left_out"]}  # type: ignore[attr-defined]
    assert reasons["the patient is in both cohorts"] == SHARED
    assert reasons["of a shared centre"] > 0
    assert sum(reasons.values()) + len(kept) == 70


def people(*ids: str, samples: dict[str, str] | None = None) -> dict[str, pd.DataFrame]:
    owned = samples or {f"{who}-T01": who for who in ids}
    return {
        "clinical_patient": pd.DataFrame({"patient_id": list(ids)}),
        "clinical_sample": pd.DataFrame({"sample_id": list(owned), "patient_id": list(owned.values())}),
    }


def test_whole_ids_are_matched_and_no_longer_one_that_begins_alike() -> None:
    kept, out, _ = judge(
        people("GENIE-MSK-P-1", "GENIE-MSK-P-11", "GENIE-DFCI-1"), people("P-1", "P-111"), External(shared_centres=()), set()
    )
    assert (kept, list(out)) == (["GENIE-MSK-P-11", "GENIE-DFCI-1"], ["GENIE-MSK-P-1"])


def test_a_shared_specimen_leaves_its_patient_out_under_whatever_id() -> None:
    second = people("B-7", samples={"GENIE-MSK-S1": "B-7"})
    kept, out, matched = judge(second, people("P-1", samples={"S1": "P-1"}), External(shared_centres=()), set())
    assert not kept
    assert out == {"B-7": "a specimen is in both cohorts"}
    assert list(matched["patient_id_there"]) == ["P-1"]


def test_ids_that_a_prefix_makes_equal_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"external\.id_prefixes: expected prefixes without which the ids of the second cohort still differ"
    ):
        judge(people("GENIE-MSK-P-1", "P-1"), people("P-2"), External(), set())


def test_a_cohort_of_which_nobody_may_be_judged_is_an_error(cohorts: Path, tmp_path: Path) -> None:
    given = [str(cohorts / "first"), str(cohorts / "first"), "--out", str(tmp_path / "overlap")]
    with pytest.raises(InputError, match="expected at least one patient who may be judged"):
        overlap(given)
