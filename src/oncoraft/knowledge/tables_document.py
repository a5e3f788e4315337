"""`docs/tables.md`, made from the table specifications (`make docs` writes it)."""

from __future__ import annotations

from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES, Column, Table

OPENING = """\
# Tables of a study

What `oncoraft ingest` expects of each data file and what it writes to `tables/<table>.parquet`.
Made from `src/oncoraft/knowledge/` by `make docs`.

- Headers and vocabularies match without regard to case; columns are found by name, in any order. Extra columns are named in
  the log and ignored.
- Cells are stripped of spaces; an empty cell is missing (so is `NA` in the copy-number matrix); the literal `N/A` is text.
- Days are integers from the patient's first sequencing. Booleans may be spelt TRUE/FALSE, 1/0, Yes/No or Y/N in any boolean column.
- An exact duplicate of an earlier row is counted and dropped. A row that breaks its specification is set aside in `rejects.parquet`.
- *Closed* vocabularies refuse other words; the others only settle the spelling of the words they list.
- *Known* says when a value may enter a prompt: from the row's (or the specimen's) day, always, or never (undated or looking ahead).
"""


def tables_document() -> str:
    """The page in Markdown: one section a table."""
    return "\n".join([OPENING, *(line for table in (*TABLES, *DERIVED_TABLES) for line in _section(table))])


def _section(table: Table) -> list[str]:
    status = {"derived": "made by the reader", "gene_by_sample": "optional, matrix"}.get(
        table.layout, "required" if table.required else "optional"
    )
    lines = [
        f"## {table.name}",
        "",
        f"`{table.file}`, {status}." + (f" {table.note[0].upper()}{table.note[1:]}." if table.note else ""),
        "",
    ]
    lines += ["| source | Parquet | kind | required | empty | known | words | notes |", "|---|---|---|---|---|---|---|---|"]
    return [*lines, *map(_row, table.columns), *map(_row, table.derived), ""]


def _row(column: Column) -> str:
    words = "; ".join(column.vocabulary) or (f"{column.true[0]} / {column.false[0]}" if column.true else "")
    cells = [
        f"`{column.source}`" if column.source else "added",
        f"`{column.name}`",
        column.kind + (f" ({column.unit})" if column.unit else ""),
        "yes" if column.required else "",
        "" if column.nullable else "refused",
        column.known.replace("_", " "),
        words.replace("|", "\\|") + (" (closed)" if column.closed else ""),
        column.note.replace("|", "\\|"),
    ]
    return "| " + " | ".join(cells) + " |"
