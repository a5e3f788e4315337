"""Copy-number calls and segments of the twin's specimens."""

from __future__ import annotations

from typing import Any

import numpy as np

from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import expand
from oncoraft.twin.genes import MATRIX_GENES, READ_GENES
from oncoraft.twin.genomics import CHROMOSOMES, CODE, ON_PANEL
from oncoraft.twin.parameters import CANCERS
from oncoraft.twin.records import Columns
from oncoraft.twin.samples import Samples

LENGTHS = np.array([249, 243, 198, 191, 180, 171, 159, 146, 141, 135, 135, 133, 115, 107, 102, 90, 81, 78, 59, 63, 48, 51, 155]) * 1_000_000
SEGMENTS_PER_CHROMOSOME = 1.33  # beyond the first
CALL_WORDS = ("0", "2", "-2", "-1.5", "NA")


def call_codes(samples: Samples, cohort: Cohort) -> Any:
    """Copy-number calls, positions in `CALL_WORDS`: shape (genes of the matrix, specimens), int8. Zero also off the panel."""
    codes = np.zeros((len(MATRIX_GENES), len(samples)), dtype=np.int8)
    place = {gene: number for number, gene in enumerate(MATRIX_GENES)}
    wild = samples.draws.chance("unstable genome", 0.35)
    for number, gene in enumerate(MATRIX_GENES):
        if gene not in READ_GENES:
            codes[number] = CALL_WORDS.index("NA")
            continue
        shares = np.array([cancer.calls.get(gene, 0.0) for cancer in CANCERS])[samples.cancer]
        luck = samples.draws.uniform(f"call {gene}")
        driver = luck < np.abs(shares)
        noise = samples.draws.uniform(f"noise {gene}") < np.where(wild, 0.008, 0.0004)
        kind = np.where(shares > 0, 1, np.where(luck < np.abs(shares) * 0.75, 2, 3))
        random = np.where(luck > 0.70, np.where(luck > 0.95, 3, 2), 1)
        codes[number] = np.where(driver, kind, np.where(noise, random, 0)) * ON_PANEL[samples.panel, CODE[gene]]
    amplified = cohort.people.states["HER2"][samples.person] & ~samples.is_second & samples.draws.chance("HER2 amplified", 0.8)
    amplified &= ON_PANEL[samples.panel, CODE["ERBB2"]]
    codes[place["ERBB2"], amplified] = 1
    return codes


def segment_table(samples: Samples) -> Columns:
    """data_cna_hg19.seg: each chromosome in a few pieces; some specimens have none."""
    keep = np.flatnonzero(~samples.draws.chance("no segments", 0.0068))
    owner, chromosome = np.repeat(keep, 23), np.tile(np.arange(23), len(keep))
    mine = samples.draws.repeat(owner, chromosome, "segments")
    broken = samples.draws.lognormal("breaks", SEGMENTS_PER_CHROMOSOME * 0.8, 0.65)[owner]
    counts = 1 + np.minimum(np.floor(mine.exponential("count", broken + 0.25)), 25).astype(np.int64)
    row, place = expand(counts)
    draws = mine.repeat(row, place, "segment")
    length = LENGTHS[chromosome[row]]
    step = length // counts[row]
    jitter = np.where(place > 0, (draws.uniform("edge", -0.4, 0.4) * step).astype(np.int64), 0)
    start = np.where(place == 0, 1_000_000 // (1 + draws.whole("first", 1, 40)), place * step + jitter)
    end = np.append(start[1:], 0) - 1
    last = place == counts[row] - 1
    end = np.where(last, length - draws.whole("last", 10_000, 900_000), end)
    spread = samples.draws.lognormal("amplitude", 0.12, 0.7)[owner[row]]
    return {
        "id": samples.sample_id[owner[row]], "chrom": np.array(CHROMOSOMES, dtype=object)[chromosome[row]], "loc_start": start, "loc_end": end,
        "num_mark": np.maximum((end - start) // 130_000, 2), "seg_mean": np.round(draws.normal("mean") * spread, 4),
    }  # fmt: skip
