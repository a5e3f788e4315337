"""The model card of each run, on the page and beside it as the README.md that a hub reads."""

from __future__ import annotations

from typing import Any

from oncoraft.model_card.card import Card, read_card
from oncoraft.model_card.text import (
    INTENDED,
    LIMITS,
    NOT_EVALUATED,
    NOT_FOR,
    SHOWN,
    data_text,
    front_matter,
    licence,
    metric,
    model_card,
    number,
    training_text,
    what_text,
)
from oncoraft.report.collect import Run
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Document, Rows, tabulate, text

COLUMNS = [text("fact", "what"), text("as the card tells it", "told")]


def card_of(sources: Sources, run: Run) -> Card:
    """The card of a run over all its folds, small counts marked as on the page."""
    return read_card(sources.results.resolve() / run.model / run.strategy / run.design, metrics=run.metrics)


def rows_of(card: Card) -> Rows:
    """What the card tells, a fact a row."""
    measured = [f"{label} {number(row)}" for key, label in SHOWN.items() if (row := metric(card, *key)) and row["estimate"] is not None]
    told = {
        "what it is": what_text(card),
        "data": data_text(card),
        "licence of the weights": " ".join(licence(card).values()),
        "intended use": INTENDED,
        "not for": NOT_FOR,
        "results": "; ".join(measured) or NOT_EVALUATED,
        "limits": "; ".join(LIMITS),
    }
    return [{"what": name, "told": words} for name, words in (told | training_text(card)).items()]


def section(sources: Sources) -> dict[str, Any]:
    """Model card."""
    runs = []
    for place, run in enumerate(sources.runs, 1):
        card = card_of(sources, run)
        runs.append(
            {
                "name": run.name,
                "number": place,
                "table": tabulate(Data(f"model-card-{place}", rows_of(card)), COLUMNS, "What the card tells"),
                "metadata": front_matter(card),
                "document": Document(f"model-card-{place}", model_card(card)),
            }
        )
    return {"runs": runs}
