"""Whether a folder can be served at all, told at once: a process takes seconds to find it out."""

from __future__ import annotations

from pathlib import Path

SCORE_HEAD = "score_head.pt"  # `models.fold_model` has the name too; it would load torch into the page


def record_of(folder: Path) -> str:
    """The manifest of a model folder as it stands; empty where there is none. Another one: the folder was written again."""
    try:
        return (folder / "manifest.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def unfit(folder: Path) -> str | None:
    """Why a folder is none that the page can serve, and what to do about it; None: it may be one."""
    if not folder.is_dir():
        return f"{folder}: expected a model folder written by `oncoraft export`; it is not there"
    if (folder / "config.json").is_file():
        if (folder / SCORE_HEAD).is_file():
            return None
        return (
            f"{folder}: expected {SCORE_HEAD} beside the weights. A model without a score head, trained elsewhere or for a text task, gives no "
            "score of response, and nothing else of it is shown here"
        )
    if not (folder / "adapter_config.json").is_file():
        return f"{folder}: expected a model folder written by `oncoraft export`; there is no model in it"
    if (folder / SCORE_HEAD).is_file():
        return f"{folder}: expected a model folder, found a fold of a run: `oncoraft export --run {folder} --out DIR` makes one of it"
    return (
        f"{folder}: expected a model with a score head, found an adapter alone, such as that of a text task. It gives no score of response; "
        f"`oncoraft predict --model BASE_DIR --adapter {folder} --case FILE` lets it answer"
    )
