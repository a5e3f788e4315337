"""The protocol tables are refused in one line where they contradict themselves; diagnoses are told by their codes."""

import re
import shutil
from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.cancers import cancer_of, distant_sites, indications, is_unusual_for, usual_cancers
from oncoraft.knowledge.clinical_tables import CANCER_TYPES
from oncoraft.knowledge.protocols import DATA_FILES, protocols, read_protocols
from oncoraft.knowledge.rule_rows import FOLDER

LINE = "anthracycline then taxane,Breast Cancer,{},{},{},,,a trial"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in DATA_FILES:
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path


def add(folder: Path, name: str, row: str) -> int:
    """Append a row; its line number."""
    path = folder / name
    path.write_text(path.read_text(encoding="utf-8") + row + "\n", encoding="utf-8")
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_tables_of_the_package_have_no_fault(folder: Path) -> None:
    assert read_protocols(folder) == protocols()
    assert set(protocols().sequences) <= set(CANCER_TYPES)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            LINE.format("anthracycline and cyclophosphamide", "taxane", 90),
            "expected one verdict on this cancer_type and part and next_part",
        ),
        (LINE.format("taxane", "anthracycline and cyclophosphamide", 60), "they go round in a circle, found 'anthracycline then taxane: "),
        (LINE.format("taxane", "taxane", 60), "they go round in a circle, found 'anthracycline then taxane: taxane'"),
        (LINE.format("taxane", "taxol", 60), "column next_part: expected a part of protocol_parts.csv, found 'taxol'"),
        (LINE.format("taxane", "tamoxifen", "two"), "column max_gap_days: expected a whole number of days, found 'two'"),
        (LINE.format("taxane", "tamoxifen", 60).replace(",,,", ",,late,"), "column setting: expected one of neoadjuvant, adjuvant"),
        ("a,b", "expected 8 values"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_in_one_line(folder: Path, row: str, message: str) -> None:
    line = add(folder, "protocols.csv", row)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_protocols(folder)
    assert str(folder / "protocols.csv") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert f"line {line}" in str(caught.value) or "circle" in message


def test_an_agent_that_nobody_knows_is_refused_with_its_line(folder: Path) -> None:
    line = add(folder, "protocol_parts.csv", "new part,CARBOPLATN,,")
    with pytest.raises(InputError, match=rf"line {line}, column requires: expected an agent of the drug table, .* found 'CARBOPLATN'"):
        read_protocols(folder)


@pytest.mark.parametrize(
    ("description", "cancer_type"),
    [
        ("INFILTRATING DUCT CARCINOMA | BREAST, NOS (M8500/3 | C509)", "Breast Cancer"),
        ("ADENOCARCINOMA, NOS | LUNG, UPPER LOBE (M8140/3 | C34.1)", "Non-Small Cell Lung Cancer"),
        ("SMALL CELL CARCINOMA, NOS | LUNG, NOS (M8041/3 | C349)", "Small Cell Lung Cancer"),
        ("SMALL CELL CARCINOMA, NOS | PROSTATE (M8041/3 | C619)", "Prostate Cancer"),
        ("MALIGNANT LYMPHOMA | BREAST, NOS (M9680/3 | C509)", "Hematologic Cancer"),
        ("ADENOCARCINOMA, NOS | RECTUM (M8140/3 | C209)", "Colorectal Cancer"),
        ("ADENOCARCINOMA, NOS | STOMACH (M8140/3 | C169)", None),
        ("N/A", None),
    ],
)
def test_site_and_morphology_tell_the_cancer_type(description: str, cancer_type: str | None) -> None:
    assert cancer_of(description) == cancer_type


def test_hormonal_agents_are_for_breast_or_prostate_alone_and_chemotherapy_for_every_cancer() -> None:
    assert indications()["LETROZOLE"] == {"Breast Cancer"}
    assert indications()["LEUPROLIDE"] == {"Breast Cancer", "Prostate Cancer"}
    assert "CARBOPLATIN" not in indications()


def test_the_organ_itself_is_no_distant_site() -> None:
    organs = {("Non-Small Cell Lung Cancer", "Lung"), ("Prostate Cancer", "Reproductive Organs"), ("Pancreatic Cancer", "Intra-Abdominal")}
    assert not organs & distant_sites()
    assert {cancer_type for cancer_type, _ in distant_sites()} == set(CANCER_TYPES)


def test_what_is_usual_names_cancers_of_the_layout_and_agrees_with_what_is_given_for_one_alone() -> None:
    usual = usual_cancers()
    assert set().union(*usual.values()) <= set(CANCER_TYPES)
    assert not set(usual) & set(indications()), "an agent for some cancers alone needs no word on what is usual"


@pytest.mark.parametrize(
    ("agent", "cancer_type", "is_unusual"),
    [
        ("OXALIPLATIN", "Prostate Cancer", True),
        ("OXALIPLATIN", "Colorectal Cancer", False),
        ("OXALIPLATIN", "Other Cancer", False),  # the table says nothing of it
        ("INVESTIGATIONAL", "Prostate Cancer", False),
    ],
)
def test_an_agent_is_unusual_for_a_cancer_where_the_table_gives_it_to_others(agent: str, cancer_type: str, is_unusual: bool) -> None:
    assert is_unusual_for(agent, cancer_type) == is_unusual
