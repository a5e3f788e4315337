"""The law of the cell twin: data sets with batch effects, donors with fingerprints, a programme of genes that goes with response.

A donor responds or not. Under an active drug the activity of the programme in his cells goes with that; under a null drug it goes with a
coin of its own, so that nothing can be learned of it. Each data set shifts every gene, has a response rate of its own and shows a part
of the programme alone, so that what is learned in some is worth less in another. Counts are Poisson.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from oncoraft.foundation.stable import stable_seed
from oncoraft.knowledge.genes import genes as known_genes
from oncoraft.planning.config import CellTwin

MITOCHONDRIAL = [f"MT-{name}" for name in ("ND1", "ND2", "ND3", "ND4", "ND4L", "ND5", "ND6", "CO1", "CO2", "CO3", "ATP6", "ATP8", "CYB")]
RIBOSOMAL = [f"RPL{n}" for n in (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19)] + [
    f"RPS{n}" for n in (2, 3, 5, 6, 7, 8, 9, 10, 11, 12)
]
ACTIVE = ("PEMBROLIZUMAB", "CISPLATIN", "ERLOTINIB", "PACLITAXEL", "VENETOCLAX")
NULL = ("LETROZOLE", "TAMOXIFEN")  # the only ones of their class of therapy, so that its number is that of both together
PARTNERS = {"CISPLATIN": "gemcitabine", "PEMBROLIZUMAB": "pemetrexed", "VENETOCLAX": "azacitidine"}  # of every second donor
NULL_CELLS = 3  # of a donor under a null drug: how wide an interval is hangs on donors, not on cells
PLACES = (("Lung Cancer", "tumour"), ("Melanoma", "tumour"), ("Breast Cancer", "blood"), ("Leukemia", "blood"))
RATES = (0.35, 0.65, 0.45, 0.55)  # response rates of data sets under active drugs
PROGRAMME = 60  # genes, half of them up where the donor responds
EFFECT, DONOR_NOISE, CELL_NOISE = 0.75, 0.45, 0.85  # of the activity: half the distance between responders and others, two deviations
LOADING, SHOWN_PART = 0.5, 0.7  # log change of a programme gene a unit of activity; share of the programme that a data set shows
BATCH, FINGERPRINT = 0.35, 0.14  # deviations of a gene's log mean between data sets, and between donors
DEPTH = 4000.0  # counts of a cell, median


class Cells(NamedTuple):
    """Cells of one data set: counts (cells, genes), what obs says of them, and the truth."""

    counts: np.ndarray
    obs: pd.DataFrame
    truth: pd.DataFrame


def gene_names(count: int) -> tuple[list[str], list[str]]:
    """Names of all genes, in a drawn order, and those of the programme, first those that rise with response: of every seed the same."""
    draw = np.random.default_rng(stable_seed("genes"))
    fixed = MITOCHONDRIAL + RIBOSOMAL
    rest = [name for name in sorted(known_genes()) if name not in set(fixed) and not name.startswith(("MT-", "RPL", "RPS"))]
    rest = [rest[k] for k in draw.permutation(len(rest))]
    need = count - len(fixed)
    rest = (rest + [f"LINC{number}" for number in range(1, max(0, need - len(rest)) + 1)])[:need]
    programme = rest[:PROGRAMME]
    names = fixed + rest
    return [names[k] for k in draw.permutation(len(names))], programme


def base_means(names: list[str], programme: list[str], draw: np.random.Generator) -> np.ndarray:
    """Log mean of each gene before any effect; mitochondrial and ribosomal genes are high, programme genes in the upper half."""
    level = draw.normal(0.0, 1.1, len(names))
    special = set(MITOCHONDRIAL) | set(RIBOSOMAL)
    chosen = set(programme)
    for k, name in enumerate(names):
        if name in special:
            level[k] = draw.normal(2.6, 0.4)
        elif name in chosen:
            level[k] = draw.normal(1.6, 0.4)
    return level


def donors_of(number: int, settings: CellTwin, draw: np.random.Generator) -> pd.DataFrame:
    """Donors of one data set: drug, response, the activity of the programme in their cells, and how many of these there are."""
    count, nulls = settings.donors + settings.null_donors, settings.null_donors
    own = [ACTIVE[(number + k) % len(ACTIVE)] for k in range(3)]
    drugs = [NULL[k % len(NULL)] for k in range(nulls)] + [own[k % len(own)] for k in range(settings.donors)]
    is_null = np.array([drug in NULL for drug in drugs])
    rate = np.where(is_null, 0.5, RATES[number % len(RATES)])
    responds = draw.random(count) < rate
    # Under a null drug the programme follows a coin of its own.
    follows = np.where(is_null, draw.random(count) < 0.5, responds)
    partner = [PARTNERS.get(drug) if k % 2 else None for k, drug in enumerate(drugs)]
    activity = EFFECT * (2.0 * follows - 1) + draw.normal(0, DONOR_NOISE, count)
    return pd.DataFrame(
        {
            "donor": [f"D{number + 1}{k + 1:03d}" for k in range(count)],
            "drug": drugs,
            "regimen": [f"{drug.lower()} + {other}" if other else drug.lower() for drug, other in zip(drugs, partner)],
            "is_null": is_null,
            "rate_of_data_set": RATES[number % len(RATES)],
            "responds": responds,
            "activity": activity,
            "cells": np.where(is_null, NULL_CELLS, np.maximum(2, draw.poisson(settings.cells, count))),
            "null_share": nulls * NULL_CELLS / (nulls * NULL_CELLS + settings.donors * settings.cells),  # of the data set's cells
        }
    )


def oracles(activity: np.ndarray, donors: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Probability of response given a cell's true activity and its data set: by one who knows the drug too, and by one who does not.

    The second is what can be achieved from expression alone: to him each cell is under a null drug with the probability `null_share`.
    """
    spread = DONOR_NOISE**2 + CELL_NOISE**2
    up, down = (np.exp(-((activity - sign * EFFECT) ** 2) / (2 * spread)) for sign in (1, -1))
    rate = donors["rate_of_data_set"].to_numpy(float)
    responds, other = rate * up, (1 - rate) * down
    knowing = np.where(donors["is_null"], 0.5, responds / (responds + other))
    null = donors["null_share"].to_numpy(float)
    either = null / 4 * (up + down)
    blind = ((1 - null) * responds + either) / ((1 - null) * (responds + other) + 2 * either)
    return knowing, blind


def data_set(number: int, settings: CellTwin, names: list[str], programme: list[str]) -> Cells:
    """Cells of one data set, from 0."""
    shared = np.random.default_rng(stable_seed("levels"))
    draw = np.random.default_rng(stable_seed(settings.seed, "data set", number))
    level = base_means(names, programme, shared)
    at = {name: k for k, name in enumerate(names)}
    loading = np.zeros(len(names))
    for k, name in enumerate(programme):
        loading[at[name]] = LOADING if k < PROGRAMME // 2 else -LOADING
    loading *= draw.random(len(names)) < SHOWN_PART
    donors = donors_of(number, settings, draw)
    of = np.repeat(np.arange(len(donors)), donors["cells"])
    here = donors.iloc[of].reset_index(drop=True)
    activity = here["activity"].to_numpy() + draw.normal(0, CELL_NOISE, len(of))
    fingerprint = draw.normal(0, FINGERPRINT, (len(donors), len(names)))
    batch = draw.normal(0, BATCH, len(names))
    stressed = draw.random(len(of)) < 0.02  # leaking membranes: nearly all that is left is mitochondrial
    mean = level + batch + fingerprint[of] + np.outer(activity, loading)
    mean[np.ix_(np.flatnonzero(stressed), np.array([at[name] for name in MITOCHONDRIAL]))] += 2.5
    weight = np.exp(mean)
    depth = DEPTH * np.exp(draw.normal(0, 0.3, len(of)))
    depth[draw.random(len(of)) < 0.02] = 60.0  # empty droplets
    counts = draw.poisson(weight / weight.sum(axis=1, keepdims=True) * depth[:, None])
    cancer, tissue = PLACES[number % len(PLACES)]
    obs = pd.DataFrame(
        {
            "donor": here["donor"],
            "data_set": f"twin-{number + 1}",
            "response": np.where(here["responds"], "sensitive", "resistant"),
            "drug": here["drug"].str.lower(),
            "regimen": here["regimen"],
            "tissue": np.where(draw.random(len(donors))[of] < 0.75, tissue, "lymph node"),
            "cancer": cancer,
            "timepoint": np.where(draw.random(len(of)) < 0.95, "before", "after"),
            "doublet": draw.random(len(of)) < 0.01,
        },
    )
    obs.index = pd.Index([f"{donor}-{k:05d}" for k, donor in enumerate(here["donor"])])
    knowing, blind = oracles(activity, here)
    names_of = obs["data_set"].to_numpy() + ":" + obs.index
    truth = pd.DataFrame({"case_id": names_of, "activity": activity, "oracle": knowing, "oracle_of_expression": blind})
    return Cells(counts.astype(np.float32), obs, truth)
