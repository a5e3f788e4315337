"""Draw how the rules hang together: `python -m oncoraft.reruns.rulegraph` writes `docs/rulegraph.svg`.

The graph is that of the engine's own plan of the demo. It is drawn here, without Graphviz, so that every machine draws the same picture
and a test can tell when it no longer fits the workflow: rules in layers by the longest way to them, ordered to lie near what they read.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from html import escape
from math import fsum
from pathlib import Path

from oncoraft.reruns.planning import Job, planned_jobs

ROOT = Path(__file__).parents[3]
PICTURE = Path("docs/rulegraph.svg")
WIDTH, HEIGHT, GAP_ACROSS, GAP_DOWN, MARGIN = 132, 30, 22, 34, 16
# Ochre, blue, green, red, grey: by stage, readable in grey as well as the text stands in every box.
COLOURS = {
    "oncoraft.twin": "#f2e6c9",
    "oncoraft.cohort": "#f2e6c9",
    "oncoraft.cases": "#dbe7f3",
    "oncoraft.evidence": "#dcefdc",
    "oncoraft.prompts": "#dcefdc",
    "oncoraft.rationales": "#dcefdc",
    "oncoraft.models": "#f3dcd6",
    "oncoraft.training": "#f3dcd6",
    "oncoraft.inference": "#f3dcd6",
}
OTHERS = "#e8e4ec"


def edges_of(jobs: list[Job]) -> dict[str, set[str]]:
    """Rule -> rules whose files it reads."""
    producer = {path: job.rule for job in jobs for path in job.outputs}
    edges: dict[str, set[str]] = {job.rule: set() for job in jobs}
    for job in jobs:
        edges[job.rule] |= {producer[path] for path in job.inputs if path in producer} - {job.rule}
    return edges


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph without edges that a longer way already implies."""

    def reach(rule: str) -> set[str]:
        return edges[rule] | {far for near in edges[rule] for far in reach(near)}

    return {rule: {near for near in above if not any(near in reach(other) for other in above - {near})} for rule, above in edges.items()}


def layers_of(edges: dict[str, set[str]]) -> list[list[str]]:
    """Rules by the longest way to them; in a layer, near what they read, then by name."""
    depth: dict[str, int] = {}

    def measure(rule: str) -> int:
        if rule not in depth:
            depth[rule] = 1 + max((measure(above) for above in edges[rule]), default=-1)
        return depth[rule]

    layers: dict[int, list[str]] = defaultdict(list)
    for rule in sorted(edges):
        layers[measure(rule)].append(rule)
    place: dict[str, float] = {}
    for level in sorted(layers):
        row = layers[level]
        # Exactly rounded, so that a set's order, which is another in every process, decides no tie.
        row.sort(key=lambda rule: (fsum(place[a] for a in edges[rule]) / len(edges[rule]) if edges[rule] else 0.0, rule))
        place |= {rule: (number + 1) / (len(row) + 1) for number, rule in enumerate(row)}
    return [layers[level] for level in sorted(layers)]


def draw(jobs: list[Job], stages: dict[str, str]) -> str:
    """The picture as SVG.

    Args:
        jobs: of the whole plan.
        stages: rule -> dotted module of its step.
    """
    edges = reduced(edges_of(jobs))
    layers = layers_of(edges)
    wide = max(map(len, layers))
    across, down = wide * (WIDTH + GAP_ACROSS) + 2 * MARGIN, len(layers) * (HEIGHT + GAP_DOWN) - GAP_DOWN + 2 * MARGIN
    spot: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(layers):
        left = (across - len(row) * (WIDTH + GAP_ACROSS) + GAP_ACROSS) / 2
        spot |= {rule: (left + number * (WIDTH + GAP_ACROSS), MARGIN + level * (HEIGHT + GAP_DOWN)) for number, rule in enumerate(row)}
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across}" font-family="sans-serif" font-size="12">',
        "<title>How the rules of the OncoRAFT workflow hang together</title>",
        f'<rect width="{across}" height="{down}" fill="white"/>',
    ]
    for rule in sorted(edges):
        for above in sorted(edges[rule]):
            (x, y), (u, v) = spot[rule], spot[above]
            start, end = (u + WIDTH / 2, v + HEIGHT), (x + WIDTH / 2, y)
            bend = (end[1] - start[1]) / 2
            path = f"M{start[0]:g} {start[1]:g}C{start[0]:g} {start[1] + bend:g} {end[0]:g} {end[1] - bend:g} {end[0]:g} {end[1]:g}"
            body.append(f'<path d="{path}" fill="none" stroke="#777"/>')
    for rule, (x, y) in sorted(spot.items()):
        colour = COLOURS.get(".".join(stages[rule].split(".")[:2]), OTHERS)
        body.append(f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{colour}" stroke="#555"/>')
        # SVG sets text on its base line: 4 below the middle centres letters of 12.
        body.append(f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2 + 4:g}" text-anchor="middle">{escape(rule)}</text>')
    return "\n".join([*body, "</svg>", ""])


def picture(root: Path = ROOT) -> str:
    """The picture of this checkout's workflow, planned from nothing for the demo."""
    import tempfile

    from oncoraft.planning.steps import STEPS

    with tempfile.TemporaryDirectory() as folder:
        words = ["--snakefile", str(root / "workflow/Snakefile"), "--directory", folder, "--cores", "1"]
        jobs = planned_jobs([*words, "--configfile", str(root / "config/config.yaml")], everything=True)
    return draw(jobs, {job.rule: STEPS[job.step].module for job in jobs})


def main() -> int:
    """Write the picture."""
    (ROOT / PICTURE).write_text(picture(), encoding="utf-8")
    print(f"wrote {PICTURE}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
