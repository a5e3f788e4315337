"""What a run left behind for its model card: data, metrics, training, cost; what it has not left stays unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.knowledge.releases import STUDY

TWIN = "oncoraft_twin"  # what the twin calls its study
UNKNOWN = "not known"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Card:
    """What a card tells.

    Args:
        name: of the model: base, strategy and design.
        base: name of the base model.
        base_licence: the hub's identifier of its licence, as its own card says; None where it has none.
        is_base_built: whether the workflow made the base itself.
        study: identifier and release of the data, as ingestion recognised them.
        is_synthetic: whether the patients are made up; None where the results do not say.
        metrics: records of `metrics.json`; empty where there are none.
        fold: which fold the model is of; None for a run of all folds.
        training: the manifest of the fold; empty where nothing was trained.
        tokens: that went through the model in training, all folds of the card.
        hours: in which they did.
        memory_gib: the most that training held at once; None where that was not measured.
        definition: of response.
        survival: `survival.json`; empty where there is none.
        confidence: level of the intervals.
        files: what was read, for a manifest.
    """

    name: str
    base: str
    base_licence: str | None = None
    is_base_built: bool = False
    study: dict[str, Any] = field(default_factory=dict)
    is_synthetic: bool | None = None
    metrics: Sequence[dict[str, Any]] = ()
    fold: int | None = None
    training: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0
    hours: float = 0.0
    memory_gib: float | None = None
    definition: str | None = None
    survival: dict[str, Any] = field(default_factory=dict)
    confidence: float = 0.95
    files: tuple[Path, ...] = ()

    @property
    def is_chord(self) -> bool:
        """Whether the data are MSK-CHORD."""
        return bool(self.study.get("release")) or self.study.get("identifier") == STUDY


def _json(path: Path, files: list[Path]) -> Any:
    """A JSON file of the results, or None; what was read is noted."""
    if not path.is_file():
        return None
    files.append(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"expected JSON ({error.msg})", file=path, line=error.lineno) from None


def licence_of(base: Path | None) -> str | None:
    """The licence in the front matter of a base model's own card; None where there is none that can be read."""
    path = base / "README.md" if base is not None else None
    if path is None or not path.is_file():
        return None
    parts = path.read_text(encoding="utf-8", errors="replace").split("---\n", 2)
    try:
        front = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    except yaml.YAMLError:
        return None  # a card of others; its text is shown to nobody
    found = front.get("license") if isinstance(front, dict) else None
    return found if isinstance(found, str) and found != "other" else None


def read_card(
    run: Path, fold: int | None = None, own: Path | None = None, base: Path | None = None, metrics: Sequence[dict[str, Any]] | None = None
) -> Card:
    """The card of a run of the workflow, as far as its files tell.

    Args:
        run: folder of a model, a strategy and a design.
        fold: whose model it is; None: all folds.
        own: folder of that fold; None: the one of its name, or the first.
        base: folder of the base model, for its licence; None: where the fold's manifest says.
        metrics: records to show, small counts marked; None: those of the run, if there are any.
    """
    files: list[Path] = []
    results = run.parents[2] if len(run.parents) > 3 else run
    is_placed = (results / "cases").is_dir()  # or the folder stands alone, and the names above it say nothing
    folds = [own] if own is not None else [run / f"fold-{fold}"] if fold is not None else sorted(run.glob("fold-*"))
    training = _json(folds[0] / "manifest.json", files) or {} if folds else {}
    configs = [Path(name) for name in training.get("inputs", {}) if Path(name).name == "config.json"]
    home = base or (folds[0] / configs[0].parent if configs else None)
    found = list(metrics) if metrics is not None else _json(run / "metrics" / "metrics.json", files) or []
    measured = _json(run / "metrics" / "manifest.json", files) or {}
    study = (_json(results / "tables" / "checks.json", files) or {}).get("study") or {} if is_placed else {}
    flow = _json(results / "cases" / "flow.json", files) or {}
    survival = _json(run / "survival" / "survival.json", files) or {}
    is_twin = study.get("identifier") == TWIN or (results / "truth.parquet").is_file()
    tokens, hours, memory = cost(folds, files)
    return Card(
        name=" ".join(run.parts[-3:]) if is_placed else "OncoRAFT model",
        base=base_name(home, run.parts[-3] if is_placed else UNKNOWN),
        base_licence=licence_of(home),
        is_base_built=bool(configs) and configs[0].parent.name == "base",
        study=study,
        is_synthetic=True if is_twin else False if study else None,
        metrics=found,
        fold=fold,
        training=training,
        tokens=tokens,
        hours=hours,
        memory_gib=memory,
        definition=flow.get("definition"),
        survival=survival,
        confidence=(measured.get("settings") or {}).get("evaluation", {}).get("confidence", 0.95),
        files=tuple(files),
    )


def base_name(folder: Path | None, otherwise: str) -> str:
    """What a base model is called: its name on the hub where its configuration keeps it, else its folder's, unless that says nothing."""
    if folder is None:
        return otherwise
    config = _json(folder / "config.json", []) or {}
    kept = str(config.get("_name_or_path") or "")
    if HUB_NAME.fullmatch(kept) and not Path(kept).exists():
        return kept
    return otherwise if folder.resolve().name == "base" else folder.resolve().name


def cost(folds: Sequence[Path], files: list[Path]) -> tuple[int, float, float | None]:
    """Tokens and hours of training over folds, without starting and saving, and the most memory in GiB (None: not measured)."""
    tokens, seconds, memory = 0, 0.0, [0.0]
    for path in (fold / "training_log.jsonl" for fold in folds):
        if path.is_file():
            files.append(path)
            for row in read_jsonl(path, ("tokens", "tokens_per_second")):
                tokens += int(row["tokens"])
                seconds += row["tokens"] / row["tokens_per_second"] if row["tokens_per_second"] else 0.0
                memory.append(row.get("memory_gib") or 0.0)
    return tokens, seconds / 3600, max(memory) or None
