"""Mutations and structural variants of the twin's specimens."""

from __future__ import annotations

from typing import Any

import numpy as np

from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import Booleans, Draws, Integers, expand
from oncoraft.twin.genes import LOCI, MATRIX_GENES, PANEL_GENES
from oncoraft.twin.parameters import CANCERS
from oncoraft.twin.people import CALLABLE
from oncoraft.twin.records import Columns
from oncoraft.twin.samples import PANELS, Samples, driver_rows

ALL_GENES = tuple(sorted({*MATRIX_GENES, *LOCI, *(gene for cancer in CANCERS for pair in cancer.fusions for gene in pair)}))
CODE = {gene: place for place, gene in enumerate(ALL_GENES)}
GENES = np.array(ALL_GENES, dtype=object)
CHROMOSOMES = (*(str(number) for number in range(1, 23)), "X")
AMINO = np.array(list("ARNDCQEGHILKMFPSTWYV"), dtype=object)
LONG = np.array(
    [
        "Ala",
        "Arg",
        "Asn",
        "Asp",
        "Cys",
        "Gln",
        "Glu",
        "Gly",
        "His",
        "Ile",
        "Leu",
        "Lys",
        "Met",
        "Phe",
        "Pro",
        "Ser",
        "Thr",
        "Trp",
        "Tyr",
        "Val",
    ],
    dtype=object,
)
# Recurrent changes of oncogenes: amino acid, position, amino acid, weight.
HOTSPOTS: dict[str, tuple[tuple[str, int, str, float], ...]] = {
    "KRAS": (("G", 12, "D", 38), ("G", 12, "V", 28), ("G", 12, "R", 12), ("G", 13, "D", 12), ("Q", 61, "H", 6), ("G", 12, "A", 4)),
    "NRAS": (("Q", 61, "R", 5), ("Q", 61, "K", 4), ("G", 12, "D", 2)), "BRAF": (("V", 600, "E", 8), ("G", 469, "A", 1), ("D", 594, "G", 1)),
    "EGFR": (("L", 858, "R", 6), ("G", 719, "A", 1), ("L", 861, "Q", 1), ("S", 768, "I", 1)), "AKT1": (("E", 17, "K", 1),),
    "PIK3CA": (("H", 1047, "R", 5), ("E", 545, "K", 4), ("E", 542, "K", 3)), "ESR1": (("D", 538, "G", 5), ("Y", 537, "S", 3)),
    "TP53": (("R", 175, "H", 5), ("R", 273, "H", 4), ("R", 248, "Q", 4), ("R", 282, "W", 2), ("Y", 220, "C", 2)),
    "SPOP": (("F", 133, "V", 3), ("F", 102, "C", 1)), "FBXW7": (("R", 465, "H", 2), ("R", 505, "G", 1)), "AR": (("L", 702, "H", 1), ("T", 878, "A", 1)),
    "CTNNB1": (("S", 37, "F", 1), ("S", 45, "F", 1)), "ERBB2": (("S", 310, "F", 1), ("V", 777, "L", 1)), "GNAS": (("R", 201, "H", 1), ("R", 201, "C", 1)),
    "IDH1": (("R", 132, "C", 1),),
}  # fmt: skip
# Class, consequence, type, weight; how the short protein change ends.
CLASSES = (
    ("Missense_Mutation", "missense_variant", "SNP", 0.70), ("Nonsense_Mutation", "stop_gained", "SNP", 0.10),
    ("Frame_Shift_Del", "frameshift_variant", "DEL", 0.09), ("Frame_Shift_Ins", "frameshift_variant", "INS", 0.04),
    ("Splice_Site", "splice_acceptor_variant", "SNP", 0.04), ("In_Frame_Del", "inframe_deletion", "DEL", 0.02),
    ("Translation_Start_Site", "start_lost", "SNP", 0.01),
)  # fmt: skip
EXTRA_CLASSES = (
    ("Silent", "synonymous_variant", "SNP", 0.5),
    ("5'Flank", "upstream_gene_variant", "SNP", 0.35),
    ("Intron", "intron_variant", "SNP", 0.15),
)
BASES = np.array(["A", "C", "G", "T"], dtype=object)


def _on_panel() -> Booleans:
    """Which gene is on which panel, shape (5, all genes)."""
    return np.array([[gene in set(PANEL_GENES[panel]) for gene in ALL_GENES] for panel in PANELS])


ON_PANEL = _on_panel()
PANEL_CODES = [np.flatnonzero(row) for row in ON_PANEL]
CHROMOSOME = np.array([LOCI[gene][0] if gene in LOCI else CHROMOSOMES[(7 * CODE[gene] + 3) % 23] for gene in ALL_GENES], dtype=object)
POSITION = np.array([LOCI[gene][2] if gene in LOCI else 2_000_000 + (CODE[gene] * 7_919_317) % 44_000_000 for gene in ALL_GENES])
# -9 is written as an empty cell (`patients.BLANK`).
ENTREZ = np.array([LOCI[gene][1] if gene in LOCI else -9 for gene in ALL_GENES])


def mutation_table(cohort: Cohort, samples: Samples) -> Columns:
    """data_mutations: drivers at their hotspots, passengers anywhere on the panel, a few silent and non-coding ones."""
    row, gene = driver_rows(cohort, samples)
    driver_gene = np.array([CODE[name] for name in CALLABLE])[gene]
    on = ON_PANEL[samples.panel[row], driver_gene]
    row, driver_gene = row[on], driver_gene[on]
    reported = np.bincount(row, minlength=len(samples))
    silent = samples.draws.chance("silent", np.clip(samples.count * 0.03, 0, 0.8)).astype(np.int64)
    other, place = expand(np.maximum(samples.count - reported, 0) + silent)
    draws = samples.draws.repeat(other, place, "passenger")
    passenger = _passenger_genes(draws, samples.panel[other])
    is_silent = place >= np.maximum(samples.count - reported, 0)[other]
    rows = np.concatenate([row, other])
    genes = np.concatenate([driver_gene, passenger])
    mine = samples.draws.repeat(rows, genes + 1000 * np.concatenate([np.zeros(len(row), dtype=np.int64), place + 1]), "variant")
    is_driver = np.arange(len(rows)) < len(row)
    kind = mine.choice("class", [one[3] for one in CLASSES])
    kind = np.where(
        np.concatenate([np.zeros(len(row), dtype=bool), is_silent]),
        len(CLASSES) + mine.choice("extra", [one[3] for one in EXTRA_CLASSES]),
        kind,
    )
    change = _changes(cohort, samples, rows, genes, kind, is_driver, mine)
    order = np.lexsort((genes, rows))
    table = _maf(samples, rows, genes, mine, *change)
    return {name: values[order] if isinstance(values, np.ndarray) else values for name, values in table.items()}


def _passenger_genes(draws: Draws, panel: Integers) -> Integers:
    """A gene of the specimen's panel each; larger genes are hit more often."""
    genes = np.zeros(len(panel), dtype=np.int64)
    for number, codes in enumerate(PANEL_CODES):
        mine = np.flatnonzero(panel == number)
        weights = 0.4 + ((codes * 2_654_435_761) % 97) / 97 * 2.0
        genes[mine] = codes[draws[mine].choice("gene", weights)]
    return genes


def _changes(
    cohort: Cohort, samples: Samples, rows: Integers, genes: Integers, kind: Integers, is_driver: Booleans, draws: Draws
) -> tuple[Integers, Integers, Integers, Integers]:
    """Class, first amino acid, position, second amino acid; hotspots of drivers are missense."""
    before, after = draws.whole("before", 0, 19), draws.whole("after", 0, 18)
    after = np.where(after >= before, after + 1, after)
    place = 2 + (draws.uniform("position") ** 1.2 * (300 + (genes * 37) % 1600)).astype(np.int64)
    letters = {letter: number for number, letter in enumerate(AMINO)}
    for name, spots in HOTSPOTS.items():
        share = 0.45 if name in ("TP53", "FBXW7", "AR", "CTNNB1") else 1.0
        mine = np.flatnonzero(is_driver & (genes == CODE[name]) & draws.chance("hotspot", share))
        spot = draws[mine].choice("spot", [one[3] for one in spots])
        before[mine] = np.array([letters[one[0]] for one in spots])[spot]
        place[mine] = np.array([one[1] for one in spots])[spot]
        after[mine] = np.array([letters[one[2]] for one in spots])[spot]
        kind[mine] = 0
    smokers = is_driver & (genes == CODE["KRAS"]) & cohort.people.states["G12C"][samples.person[rows]]
    for values, word in ((before, "G"), (after, "C")):
        values[smokers] = letters[word]
    place[smokers] = 12
    return kind, before, place, after


def _join(*parts: Any) -> Any:
    """Texts side by side; each part is one text or an array of them."""
    out: Any = None
    for part in parts:
        values = part.astype(str).astype(object) if isinstance(part, np.ndarray) and part.dtype != object else part
        out = values if out is None else out + values
    return out


def _maf(
    samples: Samples, rows: Integers, genes: Integers, draws: Draws, kind: Integers, before: Integers, place: Integers, after: Integers
) -> Columns:
    """The columns of a MAF."""
    classes = (*CLASSES, *EXTRA_CLASSES)
    word = np.array([one[0] for one in classes], dtype=object)[kind]
    sort = np.array([one[2] for one in classes], dtype=object)[kind]
    coding = kind < len(CLASSES)
    tail = np.array(["", "*", "fs*12", "fs*7", "_splice", "del", "?", "=", "", ""], dtype=object)[kind]
    short = _join(
        np.where(kind == 4, "p.X", _join("p.", AMINO[before])).astype(object), place, np.where(kind == 0, AMINO[after], tail).astype(object)
    )
    full = _join("p.", LONG[before], place, np.where(kind == 0, LONG[after], np.where(kind == 1, "Ter", tail)).astype(object))
    start = POSITION[genes] + (draws.uniform("base") * 60_000).astype(np.int64)
    start = np.where(kind == 0, POSITION[genes] + 3 * place, start)
    deleted, inserted = sort == "DEL", sort == "INS"
    reference, change = BASES[draws.whole("reference", 0, 3)], draws.whole("alternative", 1, 3)
    alternative = BASES[(draws.whole("reference", 0, 3) + change) % 4]
    depth = np.clip(draws.normal("depth", 640, 200), 60, 2400)
    share = np.clip(draws.uniform("share") * 0.55 + 0.02, 0.02, 0.95)
    tumour = np.where(inserted, "-", reference).astype(object)
    transcript = _join("ENST", np.char.zfill((200_000 + genes * 419).astype(str), 11).astype(object))
    person = np.array([name[:10] for name in samples.sample_id], dtype=object)[rows]
    suffix = np.array([name[-3:] for name in samples.sample_id], dtype=object)[rows]
    has_id = draws.chance("dbSNP", 0.35)
    return {
        "hugo_symbol": GENES[genes], "entrez_gene_id": ENTREZ[genes], "center": "MSKCC", "ncbi_build": "GRCh37", "chromosome": CHROMOSOME[genes],
        "start_position": start, "end_position": start + inserted, "strand": "+", "consequence": np.array([one[1] for one in classes], dtype=object)[kind],
        "variant_classification": word, "variant_type": sort, "reference_allele": tumour, "tumor_seq_allele1": tumour,
        "tumor_seq_allele2": np.where(deleted, "-", alternative).astype(object), "dbsnp_rs": np.where(has_id, _join("rs", 1_000_000 + place * 7919 + genes * 31), ""),
        "tumor_sample_barcode": samples.sample_id[rows], "matched_norm_sample_barcode": _join(person, "N01-", suffix), "match_norm_seq_allele1": tumour,
        "match_norm_seq_allele2": tumour, "verification_status": "Unknown", "validation_status": "Unknown", "mutation_status": "SOMATIC",
        "sequencing_phase": "Phase_I", "sequence_source": "Capture", "validation_method": "none", "score": "MSK-IMPACT", "sequencer": "Illumina HiSeq",
        "t_ref_count": (depth * (1 - share)).astype(np.int64), "t_alt_count": np.maximum(depth * share, 5).astype(np.int64),
        "n_ref_count": np.clip(draws.normal("normal depth", 430, 120), 40, 1600).astype(np.int64), "n_alt_count": draws.chance("normal", 0.05).astype(np.int64),
        "hgvsc": _join(transcript, ".4:c.", 3 * place - 1, np.where(sort == "SNP", _join(reference, ">", alternative), np.where(deleted, "del", "dup")).astype(object)),
        "hgvsp": np.where(coding & (kind != 4), full, ""), "hgvsp_short": np.where(coding | (kind == len(CLASSES)), short, ""), "transcript_id": transcript,
        "refseq": _join("NM_", np.char.zfill((1_000 + genes * 83).astype(str), 6).astype(object), ".2"), "protein_position": place,
        "codons": _join("g", reference, "t/g", alternative, "t"), "exon_number": _join(1 + place % 24, "/", 24 + genes % 9),
    }  # fmt: skip


def variant_table(cohort: Cohort, samples: Samples) -> Columns:
    """data_sv: the tumour type's fusions, in both orders of the partners, and other rearrangements of panel genes."""
    draws = samples.draws
    fusion = np.where(samples.is_second, -1, cohort.people.fusion[samples.person])
    mine = np.flatnonzero(fusion >= 0)
    pairs = [[(CODE[one], CODE[two]) for one, two in cancer.fusions] for cancer in CANCERS]
    known = np.array([pairs[cancer][which] for cancer, which in zip(samples.cancer[mine], fusion[mine])], dtype=np.int64).reshape(-1, 2)
    read = ON_PANEL[samples.panel[mine][:, None], known].any(axis=1)  # a partner that no probe reads shows in no report
    mine, known = mine[read], known[read]
    flipped = draws[mine].chance("flipped", 0.3)
    known[flipped] = known[flipped][:, ::-1]
    chance = np.array([0.21, 0.21, 0.135, 0.16, 0.125])[samples.cancer]
    counts = np.where(draws.chance("rearranged", chance), 1 + np.floor(draws.exponential("rearrangements", 0.65)), 0).astype(np.int64)
    row, place = expand(counts)
    other = draws.repeat(row, place, "rearrangement")
    one = _passenger_genes(other, samples.panel[row])
    two = np.where(other.chance("same gene", 0.45), one, _passenger_genes(Draws(other.keys ^ np.uint64(1)), samples.panel[row]))
    rows = np.concatenate([mine, row])
    first, second = np.concatenate([known[:, 0], one]), np.concatenate([known[:, 1], two])
    both = draws.repeat(rows, np.concatenate([np.zeros(len(mine), dtype=np.int64), place + 1]), "sv")
    lone = both.chance("lone", 0.28) & (np.arange(len(rows)) >= len(mine))
    order = np.lexsort((first, rows))
    table = _sv(samples, rows, first, second, lone, both)
    return {name: values[order] if isinstance(values, np.ndarray) else values for name, values in table.items()}


def _sv(samples: Samples, rows: Integers, first: Integers, second: Integers, lone: Booleans, draws: Draws) -> Columns:
    """The columns of data_sv; `lone`: the second site lies in no gene."""
    kind = np.where(CHROMOSOME[first] != CHROMOSOME[second], 2, np.array([0, 1, 3])[draws.choice("class", (0.52, 0.33, 0.15))])
    kind = np.where(draws.chance("no class", 0.06), 4, kind)
    word = np.array(["DELETION", "INVERSION", "TRANSLOCATION", "DUPLICATION", ""], dtype=object)[kind]
    partner = np.where(lone, "", GENES[second]).astype(object)
    one, two = POSITION[first] + draws.whole("site one", 0, 60_000), POSITION[second] + draws.whole("site two", 60_001, 130_000)
    exon, other = draws.whole("exon", 1, 24), draws.whole("other exon", 1, 24)
    where, there = (
        _join("Exon ", exon, " of ", GENES[first], "(+)"),
        np.where(lone, "IGR: 12Kb before a gene(-)", _join("Exon ", other, " of ", GENES[second], "(-)")),
    )
    event = np.where(
        lone,
        "Antisense Fusion",
        np.where(
            first == second,
            _join("Intragenic rearrangement of ", GENES[first]),
            _join("Protein Fusion: in frame  {", GENES[first], ":", GENES[second], "}"),
        ),
    )
    note = _join(
        GENES[first],
        " rearrangement: breakpoints at chr",
        CHROMOSOME[first],
        ":g.",
        one,
        " and chr",
        CHROMOSOME[second],
        ":g.",
        two,
        ", reads on both sides",
    )
    split, paired = draws.whole("split", 3, 90), draws.whole("paired", 2, 60)
    return {
        "sample_id": samples.sample_id[rows], "sv_status": "SOMATIC", "site1_hugo_symbol": GENES[first], "site2_hugo_symbol": partner,
        "site1_chromosome": CHROMOSOME[first], "site2_chromosome": CHROMOSOME[second], "site1_position": one, "site2_position": two,
        "site1_description": where, "site2_description": there.astype(object), "ncbi_build": "GRCh37", "class": word, "tumor_split_read_count": split,
        "tumor_paired_end_read_count": paired, "event_info": event.astype(object),
        "breakpoint_type": draws.words("breakpoint", ("PRECISE", "IMPPRECISE", "IMPRECISE"), (0.8, 0.17, 0.03)),
        "connection_type": draws.words("connection", ("3to5", "5to3", "3to3", "5to5"), (0.4, 0.25, 0.2, 0.15)), "annotation": note,
        "dna_support": np.where(draws.chance("dna", 0.97), "yes", "").astype(object), "rna_support": np.where(draws.chance("rna", 0.8), "unknown", "").astype(object),
        "sv_length": np.where(kind == 2, 0, np.abs(two - one)), "normal_read_count": draws.whole("normal reads", 200, 40_000), "tumor_read_count": draws.whole("tumor reads", 300, 90_000),
        "normal_variant_count": 0, "tumor_variant_count": split + paired,
    }  # fmt: skip
