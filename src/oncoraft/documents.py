"""Documents made from code, so that they cannot drift: `python -m oncoraft.documents` (or `make docs`) writes them.

A test compares the files with what this module would write, and names that command when they part.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from oncoraft.evidence.evidence_document import evidence_document
from oncoraft.knowledge.tables_document import tables_document
from oncoraft.planning.config import Block, Config

ROOT = Path(__file__).parents[2]


def config_schema() -> str:
    """JSON schema of the configuration, for editors and for the workflow catalogue."""
    schema = Config.model_json_schema()
    schema["title"] = "OncoRAFT workflow configuration"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def config_document() -> str:
    """`config/README.md`: every key with its type, default and meaning."""
    lines = [
        "# Configuration",
        "",
        "`config.yaml` is the demo and a tour of the settings; `msk_chord.yaml` the published reproduction; `ablation.yaml`, `alignment.yaml`,",
        "`tasks.yaml` and `cells.yaml` are read after `config.yaml`. A key that is left out has the default below, which is that of the real study. Unknown keys are refused. A step reads only",
        "its own blocks, so a change reruns exactly the steps that read it. This page is made from `src/oncoraft/planning/config.py` by `make docs`.",
        "",
        "```",
        "snakemake --cores all                                                                      the demo",
        "snakemake --cores all --configfile config/msk_chord.yaml --config study=PATH               a real study",
        "snakemake --cores all --configfile config/config.yaml config/ablation.yaml                 the demo with ablations",
        "snakemake --cores all --configfile config/config.yaml config/alignment.yaml                the demo aligned: raft, dpo, grpo",
        "snakemake --cores all --configfile config/config.yaml config/tasks.yaml                    the demo with text tasks",
        "snakemake --cores all --configfile config/config.yaml config/cells.yaml                    the demo with single cells",
        "```",
        "",
    ]
    top = [(name, field) for name, field in Config.model_fields.items() if _block(field) is None]
    lines += ["## Top level", "", *_table(top)]
    for name, field in Config.model_fields.items():
        block = _block(field)
        if block is not None:
            lines += ["", f"## `{name}`", "", *_prose(block, field), "", *_table(list(block.model_fields.items()))]
            lines += [
                text
                for key, inner in block.model_fields.items()
                if (nested := _block(inner))
                for text in _nested(f"{name}.<name>.{key}", nested)
            ]
    return "\n".join(lines) + "\n"


def _nested(name: str, block: type[Block]) -> list[str]:
    """The keys of a block inside an entry of a mapping, such as `models.<name>.build`."""
    return ["", f"### `{name}`", "", *_prose(block, None), "", *_table(list(block.model_fields.items()))]


def _prose(block: type[Block], field: FieldInfo | None) -> list[str]:
    text = (block.__doc__ or "").strip()
    return [text + (f" {field.description}" if field is not None and field.description else "")]


def _block(field: FieldInfo) -> type[Block] | None:
    """The block type of a field, also inside `dict[name, Block]` and `Block | None`."""
    candidates: list[Any] = [field.annotation]
    while candidates:
        candidate = candidates.pop()
        if isinstance(candidate, type) and issubclass(candidate, Block):
            return candidate
        candidates.extend(getattr(candidate, "__args__", ()))
    return None


def _table(fields: list[tuple[str, FieldInfo]]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in fields:
        default = (
            "required"
            if field.is_required()
            else json.dumps(field.get_default(call_default_factory=True), default=lambda value: value.model_dump())
        )
        rows.append(f"| `{field.alias or name}` | `{default}` | {field.description or ''} |")
    return rows


def documents() -> dict[Path, str]:
    """Path from the repository's root -> content, of every generated document."""
    return {
        Path("workflow/schemas/config.schema.json"): config_schema(),
        Path("config/README.md"): config_document(),
        Path("docs/tables.md"): tables_document(),
        Path("docs/evidence.md"): evidence_document(),
    }


def main() -> None:
    """Write every generated document."""
    for path, text in documents().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
