"""The drug table and the tables of the regimen rules: whole, consistent, and covering the vocabulary of the treatment timeline."""

from collections import Counter

import pytest

from oncoraft.knowledge.clinical_tables import CANCER_TYPES
from oncoraft.knowledge.drugs import agent_names, drugs
from oncoraft.knowledge.protocols import protocols
from oncoraft.knowledge.regimen_tables import exclusions, maintenance_agents, partners, radiosensitisers, substitution_groups
from oncoraft.planning.config import SUBTYPES

# Agents that at least five patients of the released cohort received, by SUBTYPE (reference schema, section 10.6).
FREQUENT = {
    "Chemo": "FLUOROURACIL; LEUCOVORIN; OXALIPLATIN; CAPECITABINE; CARBOPLATIN; IRINOTECAN; GEMCITABINE; PACLITAXEL; PEMETREXED; CYCLOPHOSPHAMIDE; PACLITAXEL PROTEIN-BOUND; DOXORUBICIN; DOCETAXEL; CISPLATIN; FLOXURIDINE; VINORELBINE; METHOTREXATE; ERIBULIN; ETOPOSIDE; DOXORUBICIN LIPOSOMAL; TIPIRACIL-TRIFLURIDINE; IRINOTECAN LIPOSOMAL; CABAZITAXEL; MITOMYCIN; YTTRIUM Y-90 THERASPHERES; TEMOZOLOMIDE; RADIUM RA-223 DICHLORIDE; FLUOROURACIL TOPICAL; LUTETIUM LU-177 DOTATATE; VINCRISTINE; YTTRIUM Y-90 MICROSPHERES; VINBLASTINE; IXABEPILONE; THIOTEPA; LENALIDOMIDE; HYDROXYUREA; EPIRUBICIN; MITOXANTRONE; IFOSFAMIDE; FLUDARABINE; MELPHALAN; DACARBAZINE; TOPOTECAN",
    "Targeted": "PALBOCICLIB; OSIMERTINIB; EVEROLIMUS; ABEMACICLIB; ERLOTINIB; OLAPARIB; CRIZOTINIB; REGORAFENIB; ALPELISIB; AFATINIB; ALECTINIB; LAPATINIB; TRAMETINIB; TUCATINIB; LORLATINIB; RIBOCICLIB; CABOZANTINIB; DABRAFENIB; NERATINIB; ENCORAFENIB; SOTORASIB; CAPMATINIB; DACOMITINIB; BINIMETINIB; VEMURAFENIB; RUCAPARIB; BRIGATINIB; SUNITINIB; SELPERCATINIB; CERITINIB; ENTRECTINIB; TALAZOPARIB",
    "Hormone": "LEUPROLIDE; LETROZOLE; ANASTROZOLE; TAMOXIFEN; FULVESTRANT; ABIRATERONE; DEGARELIX; EXEMESTANE; BICALUTAMIDE; MEGESTROL; ENZALUTAMIDE; DAROLUTAMIDE; GOSERELIN; APALUTAMIDE; RALOXIFENE; NILUTAMIDE; RELUGOLIX; TOREMIFENE; FLUTAMIDE; ELACESTRANT",
    "Biologic": "BEVACIZUMAB; TRASTUZUMAB; PERTUZUMAB; PANITUMUMAB; RAMUCIRUMAB; CETUXIMAB; ADO-TRASTUZUMAB EMTANSINE; FAM-TRASTUZUMAB DERUXTECAN; SACITUZUMAB GOVITECAN; RITUXIMAB; HYALURONIDASE-TRASTUZUMAB; BCG; HYALURONIDASE/PERTUZUMAB/TRASTUZUMAB; SIPULEUCEL-T; AMIVANTAMAB",
    "Immuno": "PEMBROLIZUMAB; NIVOLUMAB; ATEZOLIZUMAB; IPILIMUMAB; DURVALUMAB; CEMIPLIMAB; AVELUMAB; TREMELIMUMAB",
    "Bone Treatment": "ZOLEDRONIC ACID; PAMIDRONATE",
    "Other": "LETROZOLE-RIBOCICLIB",
    "Investigational": "INVESTIGATIONAL",
}


@pytest.mark.parametrize("subtype", FREQUENT)
def test_every_frequent_agent_is_there_with_the_subtype_of_the_source(subtype: str) -> None:
    wrong = {agent: drugs()[agent].subtype if agent in drugs() else None for agent in FREQUENT[subtype].split("; ")}
    assert set(wrong.values()) == {subtype}, {agent: found for agent, found in wrong.items() if found != subtype}


def test_every_row_is_whole() -> None:
    for drug in drugs().values():
        assert drug.agent == drug.agent.upper().strip()
        assert drug.subtype in SUBTYPES
        assert drug.drug_class
        assert drug.mechanism.endswith("."), drug.agent
        assert drug.supportive or drug.targets or drug.subtype == "Investigational", f"{drug.agent} acts on nothing"


def test_a_name_means_one_agent() -> None:
    names = Counter(name for drug in drugs().values() for name in (drug.agent, *drug.synonyms))
    assert [name for name, count in names.items() if count > 1] == []
    assert agent_names()["5-FU"] == "FLUOROURACIL"
    assert agent_names()["INVESTIGATIVE"] == "INVESTIGATIONAL"


def test_other_indications_never_make_a_regimen() -> None:
    assert all(drug.supportive for drug in drugs().values() if drug.is_unrelated)
    assert drugs()["FLUOROURACIL TOPICAL"].is_unrelated
    assert not drugs()["LEUCOVORIN"].is_unrelated


def test_rule_tables_name_agents_of_the_drug_table() -> None:
    classes = {drug.drug_class for drug in drugs().values()}
    assert set(substitution_groups()) <= set(drugs())
    assert min(Counter(substitution_groups().values()).values()) >= 2, "a group of one substitutes nothing"
    for kind in ("continuation", "switch"):
        for cancer_type in CANCER_TYPES:
            found = maintenance_agents(kind, cancer_type)
            assert set(found) <= classes
            assert set().union(*found.values()) <= set(drugs())
        assert maintenance_agents(kind, "Non-Small Cell Lung Cancer")
        assert not maintenance_agents(kind, "Melanoma")
    for cancer_type in CANCER_TYPES:
        assert set(partners(cancer_type)) <= {name for name, drug in drugs().items() if drug.oral}
        assert set().union(*partners(cancer_type).values()) <= set(drugs())
        assert set().union(*exclusions(cancer_type)) <= classes
        assert radiosensitisers(cancer_type)
        assert protocols().sequences[cancer_type]


def test_maintenance_of_one_cancer_type_is_none_of_another() -> None:
    assert "CAPECITABINE" in maintenance_agents("switch", "Colorectal Cancer")["platinum"]
    assert "CAPECITABINE" not in maintenance_agents("switch", "Pancreatic Cancer")["platinum"]
