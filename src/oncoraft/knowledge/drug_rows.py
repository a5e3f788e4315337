"""Treatment rows with one agent of the drug table each, and whether it is for a cancer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from oncoraft.knowledge.cancers import is_for
from oncoraft.knowledge.drug_names import WAYS, resolve


def one_agent_a_row(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows whose `agent` is one of the drug table; a cell that names several becomes a row for each.

    Args:
        rows: of the treatment timeline; `agent` as the source has it, or missing.

    Returns:
        the rows in their order, and how many took more than the agent's own name, by what it took; an unknown name stays as it stands.
    """
    codes, texts = pd.factorize(rows["agent"])
    meant = [resolve(str(text)) for text in texts]
    ways = np.array([one.way for one in meant], dtype=object)
    frequency = np.bincount(codes[codes >= 0], minlength=len(meant))
    counts = {way: int(frequency[ways == way].sum()) for way in WAYS}
    number = np.array([len(one.agents) for one in meant] + [1])  # a missing agent has the code -1, which is the last place
    agents = np.array([agent for one in meant for agent in one.agents] + [None], dtype=object)
    first = np.concatenate(([0], np.cumsum(number)[:-1]))
    row = np.repeat(np.arange(len(rows)), number[codes])
    place = np.arange(len(row)) - np.repeat(np.cumsum(number[codes]) - number[codes], number[codes])
    found = rows if len(row) == len(rows) else rows.iloc[row].reset_index(drop=True)
    return found.assign(agent=agents[first[codes[row]] + place]), {way: count for way, count in counts.items() if count}


def are_for(agents: pd.Series, cancer_types: pd.Series) -> np.ndarray:
    """Whether each agent may be treatment of the cancer type beside it (`cancers.is_for`).

    Args:
        agents: of the drug table, or unknown ones.
        cancer_types: as many, in the source's words.
    """
    (agent, agent_names), (cancer, cancer_names) = pd.factorize(agents), pd.factorize(cancer_types)
    table = np.array([[is_for(one, other) for other in cancer_names] for one in agent_names], dtype=bool)
    return table.reshape(len(agent_names), len(cancer_names))[agent, cancer]
