"""How response is drawn: one colour and one word for each category, told apart without colour too."""

from __future__ import annotations

# Okabe and Ito, from good to bad; what could not be judged is grey.
COLOURS = {"CR": "#0072B2", "PR": "#56B4E9", "SD": "#E69F00", "PD": "#D55E00", "NED": "#009E73", "NE": "#8a8a8a"}
WORDS = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "PD": "progressive disease",
    "NED": "no evidence of disease",
    "NE": "not evaluable",
}
SHORT = {"CR": "complete", "PR": "partial", "SD": "stable", "PD": "progressive", "NED": "no disease", "NE": "not evaluable"}
MONTH = 365.25 / 12  # days


def evenly(count: int, most: int) -> list[int]:
    """At most `most` places of `count`, first and last among them, at equal steps: a picture shows a sample, not a choice."""
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]
