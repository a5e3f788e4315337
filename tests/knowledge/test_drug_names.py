"""Every way of writing a drug resolves to its agent; what is another drug stays another."""

import string

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.knowledge.cancers import KINDS_OF_CANCER, is_for
from oncoraft.knowledge.drug_names import key, listed_names, names, resolve
from oncoraft.knowledge.drug_rows import are_for, one_agent_a_row
from oncoraft.knowledge.drugs import drugs

AGENTS = sorted(drugs())
SALTS = ["hydrochloride", "mesylate", "citrate", "Disodium", "ACETATE", "tosylate monohydrate", "sodium", "phosphate", "malate", "sulfate"]
CONJUGATES = [agent for agent in AGENTS if "conjugate" in drugs()[agent].drug_class]


@st.composite
def written(draw: st.DrawFn, name: str) -> str:
    """A name in any case, with spaces about and between its words."""
    cased = "".join(draw(st.sampled_from((letter.upper(), letter.lower()))) for letter in name)
    spaced = draw(st.sampled_from((" ", "  ", "\t", "\u00a0"))).join(cased.split(" "))
    return draw(st.sampled_from(("", " ", "\t"))) + spaced + draw(st.sampled_from(("", "  ", "\u00ae")))


@given(data=st.data(), agent=st.sampled_from(AGENTS))
def test_an_agent_resolves_to_itself_in_any_case_and_spacing(data: st.DataObject, agent: str) -> None:
    assert resolve(data.draw(written(agent))).agents == (agent,)


@given(data=st.data(), agent=st.sampled_from(AGENTS), suffix=st.text(string.ascii_lowercase, min_size=4, max_size=4))
def test_a_suffix_of_four_letters_changes_no_agent(data: st.DataObject, agent: str, suffix: str) -> None:
    cell = f"{agent}-{suffix}"
    if cell.upper() not in listed_names():  # eye injections of aflibercept are told by their suffix alone
        assert resolve(data.draw(written(cell))).agents == (agent,)


@given(data=st.data(), agent=st.sampled_from(AGENTS), salt=st.sampled_from(SALTS))
def test_a_salt_or_ester_is_the_same_agent(data: st.DataObject, agent: str, salt: str) -> None:
    if key(f"{agent} {salt}".upper()) not in names():
        assert resolve(data.draw(written(f"{agent} {salt}"))).agents == (agent,)


@given(
    data=st.data(),
    agent=st.sampled_from(AGENTS),
    how=st.sampled_from((" 100 mg", " tablet", " injection", " 2.5 mg/ml", " (oral)", " weekly", " q21 days", " 5 mg PO BID")),
)
def test_a_dose_or_pack_is_the_same_agent(data: st.DataObject, agent: str, how: str) -> None:
    assert resolve(data.draw(written(agent + how))).agents == (agent,)


@given(name=st.sampled_from(sorted(listed_names())), data=st.data())
def test_a_listed_name_means_what_the_table_says(name: str, data: st.DataObject) -> None:
    assert resolve(data.draw(written(name))) == listed_names()[name]


@given(agent=st.sampled_from(CONJUGATES), suffix=st.sampled_from(("", "-abcd", " 100 mg")))
def test_a_conjugate_is_never_its_antibody(agent: str, suffix: str) -> None:
    bare = agent.removeprefix("ADO-").removeprefix("FAM-")
    assert bare.split()[0] not in resolve(agent + suffix).agents + resolve(bare + suffix).agents


@given(
    agents=st.lists(st.sampled_from([agent for agent in AGENTS if "/" not in agent]), min_size=2, max_size=4, unique=True),
    mark=st.sampled_from((" + ", "+", " and ", " & ", "; ", " plus ", " with ")),
)
def test_several_agents_in_one_cell_resolve_to_each(agents: list[str], mark: str) -> None:
    cell = mark.join(agents)
    if key(cell.upper()) not in names():
        assert resolve(cell).agents == tuple(agents)


@given(text=st.text(max_size=40))
def test_any_text_resolves_to_some_agent_without_loss(text: str) -> None:
    found = resolve(text)
    assert found.agents
    assert all(agent in drugs() or found.way in ("unknown", "combination") for agent in found.agents)


@pytest.mark.parametrize(
    ("cell", "agents", "way"),
    [
        ("TRASTUZUMAB-DKST", ("TRASTUZUMAB",), "suffix"),
        ("bevacizumab awwb", ("BEVACIZUMAB",), "suffix"),
        ("fam-trastuzumab deruxtecan-nxki", ("FAM-TRASTUZUMAB DERUXTECAN",), "suffix"),
        ("Trastuzumab and Hyaluronidase-oysk", ("HYALURONIDASE-TRASTUZUMAB",), "suffix"),
        ("pemetrexed disodium", ("PEMETREXED",), "salt"),
        ("cabozantinib (S)-malate", ("CABOZANTINIB",), "salt"),
        ("nabpaclitaxel", ("PACLITAXEL PROTEIN-BOUND",), "spelling"),
        ("Paclitaxel (Abraxane)", ("PACLITAXEL PROTEIN-BOUND",), "brand"),
        ("PACLitaxel (Taxol) 80 mg/m2 weekly", ("PACLITAXEL",), "brand"),
        ("osimertinib 80 mg PO QD", ("OSIMERTINIB",), "form"),
        ("pembrolizumab 200 mg IV q3w", ("PEMBROLIZUMAB",), "form"),
        ("Carboplatin AUC 5 + pemetrexed 500 mg/m2", ("CARBOPLATIN", "PEMETREXED"), "combination"),
        ("tucatinib hemiethanolate", ("TUCATINIB",), "salt"),
        ("carboplatin + [Not Available]", ("CARBOPLATIN",), "name"),
        ("Keytruda®", ("PEMBROLIZUMAB",), "brand"),
        ("TAS-102", ("TIPIRACIL-TRIFLURIDINE",), "code"),
        ("irinotecan hydrochloride", ("IRINOTECAN",), "salt"),
        ("irinotecan hydrochloride liposome", ("IRINOTECAN LIPOSOMAL",), "spelling"),
        ("doxorubicin (liposomal)", ("DOXORUBICIN LIPOSOMAL",), "name"),
        ("mFOLFOX6", ("FLUOROURACIL", "LEUCOVORIN", "OXALIPLATIN"), "combination"),
        ("FOLFIRI-bevacizumab", ("FLUOROURACIL", "LEUCOVORIN", "IRINOTECAN", "BEVACIZUMAB"), "combination"),
        ("carboplatin/newdrug", ("CARBOPLATIN", "NEWDRUG"), "combination"),
        ("letrozole/ribociclib", ("LETROZOLE-RIBOCICLIB",), "name"),
        ("gallium Ga-68 PSMA-11", ("TRACER",), "spelling"),
        ("Technetium Tc-99m bicisate", ("TRACER",), "isotope"),
        ("sodium iodide I-131", ("IODINE I-131",), "spelling"),
        ("177Lu-PNT2002", ("RADIOPHARMACEUTICAL",), "isotope"),
        ("trastuzumab botidotin", ("TRASTUZUMAB BOTIDOTIN",), "unknown"),
        ("A/B", ("A/B",), "unknown"),
    ],
)
def test_names_of_practice(cell: str, agents: tuple[str, ...], way: str) -> None:
    assert (resolve(cell).agents, resolve(cell).way) == (agents, way)


def test_every_listed_name_means_agents_of_the_table_and_no_name_means_two_things() -> None:
    assert {agent for meant in listed_names().values() for agent in meant.agents} <= set(drugs())
    own = {key(name) for drug in drugs().values() for name in (drug.agent, *drug.synonyms)}
    listed = [key(name) for name in listed_names()]
    assert len(listed) == len(set(listed))
    assert not own & set(listed)


def test_agents_of_one_kind_of_cancer_are_for_no_other() -> None:
    for agent in ("RITUXIMAB", "IBRUTINIB", "LENALIDOMIDE", "VENETOCLAX"):
        assert not is_for(agent, "Breast Cancer")
        assert is_for(agent, "Mature B-Cell Neoplasms")
        assert is_for(agent, "Leukemia")
    assert not is_for("IODINE I-131", "Prostate Cancer")
    assert is_for("IODINE I-131", "Thyroid Cancer")
    assert is_for("LUTETIUM LU-177 VIPIVOTIDE TETRAXETAN", "Prostate Cancer")
    assert {drugs()[agent].drug_class for agent in ("IODINE I-131", "RADIUM RA-223 DICHLORIDE", "SAMARIUM SM-153")} == {
        "radiopharmaceutical"
    }


def test_classes_of_some_cancers_and_kinds_of_cancer_are_one_rule() -> None:
    agents = pd.Series(["LETROZOLE", "LETROZOLE", "RITUXIMAB", "NOVELIMAB"])
    cancers = pd.Series(["Breast Cancer", "Non-Small Cell Lung Cancer", "Breast Cancer", "Breast Cancer"])
    assert are_for(agents, cancers).tolist() == [True, False, False, True]
    assert are_for(agents.head(0), cancers.head(0)).tolist() == []


def test_every_kind_of_cancer_in_the_drug_table_is_one_that_cancer_types_are_told_by() -> None:
    assert {drug.only_for for drug in drugs().values()} - {""} == set(KINDS_OF_CANCER)


def test_rows_get_one_agent_each_and_keep_their_order_and_what_is_missing() -> None:
    rows = pd.DataFrame({"agent": ["FOLFOX", None, "cisplatin", "Avastin", "bevacizumab-awwb"], "start_day": [1, 2, 3, 4, 5]})
    found, counts = one_agent_a_row(rows)
    assert found["start_day"].tolist() == [1, 1, 1, 2, 3, 4, 5]
    assert found["agent"].tolist() == ["FLUOROURACIL", "LEUCOVORIN", "OXALIPLATIN", None, "CISPLATIN", "BEVACIZUMAB", "BEVACIZUMAB"]
    assert counts == {"brand": 1, "suffix": 1, "combination": 1}
    assert one_agent_a_row(rows.head(0))[0].empty


@pytest.mark.parametrize("name", ['=HYPERLINK("HTTP://EXAMPLE.ORG","Y")', "X//Y", "A + + B"])
def test_nothing_between_two_marks_is_no_word_for_missing(name: str) -> None:
    assert resolve(name).agents == (name,)
