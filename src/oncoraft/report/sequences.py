"""Sequences of regimens as an icicle: first, second and third regimen of every patient, by cancer type. A sunburst unrolled, so that names can be read.

Small branches are joined, never dropped: what follows a node adds up to the node, the patients without a further regimen among it, and
no number of patients below the smallest cell can be had by subtraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
from markupsafe import Markup

from oncoraft.report.picture import Picture
from oncoraft.report.tables import words
from oncoraft.report.text import label

DEPTH = 3
WIDTH, HEIGHT, TOP, TYPES = 760, 620, 24, 112
LEAST = 2.5  # pixels of a segment; below it, one would see a line
OTHERS = "other regimens"
ENDED = "no further regimen"
CLASSES = {
    "Immuno": "#CC79A7",
    "Targeted": "#56B4E9",
    "Hormone": "#E69F00",
    "Biologic": "#009E73",
    "Chemo": "#0072B2",
    "Investigational": "#D55E00",
}
NEUTRAL = "#8a8a8a"


@dataclass(frozen=True)
class Node:
    """Patients who share a sequence so far."""

    name: str
    kind: str
    patients: int
    children: list[Node] = field(default_factory=list)

    @property
    def ended(self) -> int:
        """Patients without a further regimen, if any patient's further regimen is told."""
        return self.patients - sum(child.patients for child in self.children)


Way = tuple[tuple[str, str], ...]  # a patient's regimens in order: name and drug class of each


def ways(cases: pd.DataFrame) -> dict[str, list[Way]]:
    """Cancer type -> the first DEPTH regimens of every patient of it."""
    ordered = cases.sort_values(["cancer_type", "patient_id", "index_day", "case_id"])
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for kind, patient, *regimen in ordered[["cancer_type", "patient_id", "regimen_name", "drug_class"]].itertuples(index=False, name=None):
        way = found.setdefault((kind, patient), [])
        if len(way) < DEPTH:
            way.append((str(regimen[0]), str(regimen[1])))
    types: dict[str, list[Way]] = {}
    for (kind, _), way in found.items():
        types.setdefault(kind, []).append(tuple(way))
    return types


def joined(groups: dict[str, list[Way]], ended: int, least: int, smallest: int) -> tuple[dict[str, list[Way]], list[Way]]:
    """Groups that are told by name, and the patients of all others together. Nothing at all where that would tell of too few.

    Args:
        groups: name -> the patients of each.
        ended: patients of the same node without a further regimen, whom its own number tells by subtraction.
        least: patients in a group that can be seen.
        smallest: patients of whom may be told.
    """
    ordered = sorted(groups, key=lambda name: (-len(groups[name]), name))
    kept = [name for name in ordered if len(groups[name]) >= max(least, smallest)]
    small = ordered[len(kept) :]
    others = sum(len(groups[name]) for name in small)
    while kept and 0 < others < smallest:
        small.append(kept.pop())
        others += len(groups[small[-1]])
    if 0 < ended < smallest or 0 < others < smallest:
        return {}, []
    return {name: groups[name] for name in kept}, [way for name in small for way in groups[name]]


def tree(patients: list[Way], least: int, smallest: int, depth: int = 0) -> list[Node]:
    """What follows, most patients first, the others last."""
    groups: dict[str, list[Way]] = {}
    for way in patients:
        if len(way) > depth:
            groups.setdefault(way[depth][0], []).append(way)
    kept, others = joined(groups, sum(len(way) <= depth for way in patients), least, smallest)
    nodes = []
    for name, part in kept.items():
        kind = Counter(way[depth][1] for way in part).most_common(1)[0][0]
        nodes.append(Node(name, kind, len(part), tree(part, least, smallest, depth + 1)))
    return nodes + ([Node(OTHERS, "", len(others), tree(others, least, smallest, depth + 1))] if others else [])


def forest(cases: pd.DataFrame, smallest: int) -> list[Node]:
    """A tree for each cancer type; types of too few patients are joined."""
    types = ways(cases)
    least = round(LEAST / HEIGHT * sum(len(one) for one in types.values()))
    kept, others = joined(types, 0, least, smallest)
    nodes = [Node(name, "", len(part), tree(part, least, smallest)) for name, part in kept.items()]
    return nodes + ([Node("other cancer types", "", len(others), tree(others, least, smallest))] if others else [])


def table(nodes: list[Node]) -> pd.DataFrame:
    """Every node with the way to it: cancer_type, regimen_1 to regimen_3 (null beyond its place), patients, share_of_cancer_type, without_a_further_regimen."""

    def walk(node: Node, way: list[str], whole: int) -> Iterator[dict[str, object]]:
        here = [*way, node.name]
        told = dict(zip(["cancer_type", *(f"regimen_{place}" for place in range(1, DEPTH + 1))], here + [None] * DEPTH))
        yield told | {
            "patients": node.patients,
            "share_of_cancer_type": node.patients / whole,
            "without_a_further_regimen": node.ended if node.children else None,
        }
        for child in node.children:
            yield from walk(child, here, whole)

    columns = [
        "cancer_type",
        *(f"regimen_{place}" for place in range(1, DEPTH + 1)),
        "patients",
        "share_of_cancer_type",
        "without_a_further_regimen",
    ]
    return pd.DataFrame([row for node in nodes for row in walk(node, [], node.patients)], columns=columns).astype(
        {"without_a_further_regimen": "Int64"}
    )


def colour(kind: str) -> str:
    """Of a drug class; of a mixed one, its newest part's."""
    return next((shade for name, shade in CLASSES.items() if name in kind), NEUTRAL)


def draw(nodes: list[Node]) -> Markup | None:
    """The icicle: a column a regimen, from the first to the third, heights by patients."""
    if not nodes:
        return None
    picture = Picture(WIDTH, TOP + HEIGHT + 26)
    step = (WIDTH - TYPES) / DEPTH
    scale = HEIGHT / sum(node.patients for node in nodes)
    for place in range(DEPTH):
        picture.text(TYPES + step * place + 4, 14, f"{('First', 'Second', 'Third')[place]} regimen", 11, font_weight="bold")

    def block(node: Node, depth: int, y: float, root: Node) -> None:
        height = node.patients * scale
        x, width = (0.0, TYPES) if depth == 0 else (TYPES + step * (depth - 1), step)
        told = f"{label(node.name)}: {words(node.patients)} patients, {node.patients / root.patients:.0%} of {root.name}"
        shade = NEUTRAL if depth == 0 else colour(node.kind)
        strength = "0.18" if depth == 0 or node.name == OTHERS else "0.45"
        picture.rectangle(x + 0.5, y + 0.4, width - 1, max(0.6, height - 0.8), shade, told, fill_opacity=strength)
        if height >= 11:
            room = int((width - 8) / 5.6)
            name = node.name if len(node.name) <= room else node.name[: room - 1] + "…"
            picture.text(x + 4, y + min(height / 2 + 3.5, 14), name, 10)
            if height >= 28:
                share = f" ({node.patients / root.patients:.0%})" if depth else " patients"
                picture.text(x + 4, y + min(height / 2 + 3.5, 14) + 12, f"{node.patients:,}{share}", 9.5)
        below = y
        for child in node.children:
            block(child, depth + 1, below, root)
            below += child.patients * scale

    y = float(TOP)
    for node in nodes:
        block(node, 0, y, node)
        y += node.patients * scale
    shades = [("", shade, name) for name, shade in CLASSES.items()]
    picture.key(0, TOP + HEIGHT + 19, [*shades, ("", "", "empty: none, or too few to tell")])
    firsts = "; ".join(
        f"{node.name} ({words(node.patients)} patients): "
        + ", ".join(f"{child.name} {child.patients / node.patients:.0%}" for child in node.children[:3])
        for node in nodes
    )
    return picture.svg(f"Sequences of regimens by cancer type. First regimens: {firsts}.")
