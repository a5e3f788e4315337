"""Released versions of MSK-CHORD (`msk_chord_2024`): digests of its files, and signs that date a layout.

The digests are those of the public repository's large-file pointers, as far as its history was at hand; a file that
is not listed may still be a released one. "first": as first uploaded (2024-11); "revised": a later version of the
same file. The signs come from what the repository's changes did to the files.
"""

from __future__ import annotations

from typing import NamedTuple

STUDY = "msk_chord_2024"

_FIRST = """
3b05b30d711ec6f3c0ce341ab968688da08310969a3db2dbbba94a6cf59d2f66 data_clinical_patient.txt
78f0229caa7828a68a9c67f12aef118220382feec35f2a6c022cd1d7741ae957 data_cna_hg19.seg
e0a08683961e49cf35572256f2f9e424ed0a4f6dadbd32a21c9aa8b620a59c12 data_gene_panel_matrix.txt
71124e48209253f0eb3a94c62b74356ff93a8b68ddccb69352f0c87e22c6562f data_sv.txt
185f5dc75d66f92fef5be13acb6f8a80a0b7e4c0ae112a6c0207ac86e00976b6 data_timeline_treatment.txt
a142a5d0e58c99da5ad3e6d3c4c5c8e14fc5be10a1f4b909dd63bc4d73384142 data_timeline_prior_meds.txt
320e56bf013fafd1804c86e4387b253d116c898bf7581556e060ef0d542400d3 data_timeline_cancer_presence.txt
8f04ec6bf6d066bee2ad438bd083a59705c0b08ac4de1c7d89c090c1d598c780 data_timeline_diagnosis.txt
f4a0423dca674ce22b251b2f144dae253b96b62c97985ae1a62bd407a81a92cc data_timeline_gleason.txt
9d21229e6cfb3934ac7aa9f5f11cee19d4147b8b35776a9bb6118fc2aac4ae2a data_timeline_mmr.txt
b9e7ceb004d871e4e538df6c36e774c1d01e8e0df1a226f2a47db71c3ddc8a2d data_timeline_pdl1.txt
7395e32c7c9c84ec2cdcaefb77edea8ee54e54a2dba18a034e244f8ddf9e9dab data_timeline_performance_status.txt
f67e54410149a4d1ac8803fe9ce59c54a49433ea640d8b542b6e6b71910ea595 data_timeline_radiation.txt
f454813bed655fc4ede7562f4f9af0b82816363481421e101417cf2d0687f1f7 data_timeline_specimen.txt
fc74b15fdb0b7c0d3e75275b6799545a9f69e61590e23df767c3ba9708189cac data_timeline_specimen_surgery.txt
b6fbb1c49b04bc3944d9c2925f4b36f894d38c037f4524c9e67de0c0610a4eb0 data_timeline_surgery.txt
31b34276f5529f9138b6e32eaa4753b1aa5a15d1cc32d47c5ecffcba26f9345b data_timeline_tumor_sites.txt
ee96c6f6d5e4153f3eeb2bb620c7fb327bf4c33a33f0d25c1d3d0e2c7c566ecb data_timeline_tumor_markers.txt
"""
_REVISED = """
dcf83b7eef711def937f968189493ad0ce8ee8b9512a901733d7d27f11228b0c data_clinical_patient.txt
009a12ee05bfdd732243f34dd3b89e8ad8490923023a16561da7b243bee0486e data_clinical_sample.txt
3579da5b59e6291a28efc749734368cac4a48cdd77a1e0fa0658191d7342eda1 data_cna.txt
ab634da7390b331b1598b22dd414dbbe1cebea5a13721b82fcf710dcbaa31ffc data_mutations.txt
25060b6d8e679489488b7ac867442fa2c2b3a494c995203e1198fe50765d66e2 data_mutations.txt
bef14f013497ce5a561cc03a4c97a578bd320e7942c0363fd24e116f54c3ff59 data_sv.txt
d9e8198ead2d788cd74be80ffc3f8677d02d76d3e8101dd90bc53f69e4fc2329 data_timeline_treatment.txt
fd1c37fce79b0bcd423d48afe97f1e5a95e02375d53ffe2e6ac7dfbfe25e9302 data_timeline_ca_15-3_labs.txt
e12fd5f60d663336b5c2b73788a991ffe9018a7c51cebd1c7549ff4e0beb5af8 data_timeline_ca_19-9_labs.txt
4d639a36ae97568a2cd6b523ff5281460a096e64767631904671d4cf7f0ddb6f data_timeline_ca_19-9_labs.txt
ed488d72ebbae7d5b40e68f2fffcd289c258e94b03cc2a050e94d11480e5be54 data_timeline_cea_labs.txt
3c7ea28c37134993712bc8919481a54857d4ca5dd1d182b58c5646de54367d04 data_timeline_psa_labs.txt
ad4109e3d8ef090e378132f0ff9d8a856ae828fb7ce64780872914ee3717b8f8 data_timeline_cancer_presence.txt
30717b94d0dd18849da0a7c9a1cfcf48b5b5dce1597177ddb698791c30ffa2cd data_timeline_diagnosis.txt
15c7b1d113380c2bea2884fd8dc61f084f29aa267182c76bb0083534cb470cf4 data_timeline_gleason.txt
e788fa36b474f3d8dffa7e587d7f9a9abe5fabdda165bf88f10932dbe4d69414 data_timeline_mmr.txt
354242b43e7a22a18a5ad5d9aaa4dd4ef6644fcaab8e6633879790b02042b97a data_timeline_pdl1.txt
ec094a9c2a4da0393978e5528b86edc044f8bb546a522e8573022adca52c5f23 data_timeline_performance_status.txt
7405b76dfce4d274a7dfce056283c90a0e268298cc0b85622671bb743aa72af6 data_timeline_progression.txt
848291fde87334b5ec5252a83cbd9b88184e866ed928df747757eefb273c8845 data_timeline_specimen.txt
def3c44185c5550e6d4e696778f797905259a97644a6430c0060d75ecfdad3e1 data_timeline_specimen_surgery.txt
cff725eb7cd749e3ecc607691c8a564a7e13bbb84ed0b79922e1ec16f9d19760 data_timeline_tumor_sites.txt
"""


def _parsed(text: str, version: str) -> dict[str, tuple[str, str]]:
    return {digest: (file, version) for digest, file in (line.split() for line in text.strip().splitlines())}


# SHA-256 -> name of the released file, and which version of it.
KNOWN_FILES: dict[str, tuple[str, str]] = _parsed(_FIRST, "first") | _parsed(_REVISED, "revised")


class Sign(NamedTuple):
    """What a header or a word tells of when a layout was served.

    Attributes:
        table, header: where to look; with `word`, the cells of that column, else the header's spelling itself.
        is_present: the sign is that the header (or word) is there, or that it is not.
        not_before, before: the layout was served from, or until, this date (empty: no bound).
    """

    table: str
    header: str
    word: str
    is_present: bool
    not_before: str
    before: str


# Changes: 2024-12-11 treatment masked anew; 2025-01-10 TMB added; 2026-01-30 case of EVENT_TYPE and of one header;
# 2026-04 a column of the structural variants dropped.
SIGNS: tuple[Sign, ...] = (
    Sign("timeline_treatment", "AGENT", "INVESTIGATIVE", True, "", "2024-12-11"),
    Sign("timeline_treatment", "AGENT", "INVESTIGATIONAL", True, "2024-12-11", ""),
    Sign("clinical_sample", "TMB_NONSYNONYMOUS", "", True, "2025-01-10", ""),
    Sign("clinical_sample", "TMB_NONSYNONYMOUS", "", False, "", "2025-01-10"),
    Sign("timeline_prior_meds", "TREATMENT_TYPE", "", True, "", "2026-01-30"),
    Sign("timeline_prior_meds", "Treatment_TYPE", "", True, "2026-01-30", ""),
    Sign("timeline_surgery", "EVENT_TYPE", "SURGERY", True, "", "2026-01-30"),
    Sign("timeline_surgery", "EVENT_TYPE", "Surgery", True, "2026-01-30", ""),
    Sign("sv", "Comments", "", True, "", "2026-04"),
    Sign("sv", "Comments", "", False, "2026-04", ""),
)
