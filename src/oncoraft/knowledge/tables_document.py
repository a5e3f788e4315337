"""`docs/tables.md`, made from the table specifications (`make docs` writes it)."""

from __future__ import annotations

from oncoraft.knowledge.tables import DERIVED_TABLES, TABLES, Column, Table

OPENING = """\
# Tables of a study

What `oncoraft ingest` expects of each data file and what it writes to `tables/<table>.parquet`.
Made from `src/oncoraft/knowledge/` by `make docs`.

- A file is found by its name here, whatever its case, or (mutations, copy number, segments, structural variants, panels, clinical)
  as the study's meta file of that kind names it. Older releases hold the four laboratory tables in one file,
  `data_timeline_tumor_markers.txt`, which is split by test. A packed file, a Git LFS pointer or text that is not UTF-8 ends the run.
- Headers and vocabularies match without regard to case; columns are found by name, in any order. Extra columns are named in
  the log and in the ledger, and ignored.
- Cells are stripped of spaces and of a pair of double quotes around the whole cell. An empty cell is missing, and so is, in any case, a
  word for it (`NA`, `N/A`, `NaN`, `null`, `None`, `Unknown`, a full stop, a dash, the portal's `[Not Available]` and its like:
  `oncoraft.knowledge.missing`), unless the column's words below list it. Empty cells behind the last column are passed over.
- The two clinical files are required. A table that a study lacks is written empty with its types, and so are columns that a file
  lacks; log and ledger name each once, with what becomes impossible without it.
- Copy number is read as `DISCRETE` (genes by specimens), as `DISCRETE_LONG` (told by its header) and, where the meta file says so, as
  `LOG2-VALUE` (called from a fold change of two). Where CANCER_TYPE is empty, ONCOTREE_CODE tells it (`knowledge/oncotree.csv`).
- A specimen belongs to the patient of the sample table; of several rows that date one the earliest counts. Other rows are set aside.
- Days are integers from the patient's first sequencing. Booleans may be spelt TRUE/FALSE, 1/0, Yes/No or Y/N in any boolean column.
- An exact duplicate of an earlier row (every cell verbatim) is dropped, counted in the ledger and listed in `duplicates.parquet`.
- A row is set aside in `rejects.parquet`, verbatim with its line, if it has more or fewer cells than the header, if a cell breaks its
  column's kind, range or closed vocabulary, if it names a patient or specimen that the clinical files do not have, if its second day
  is before its first where a table says so, or if another, different row has its key (then both are). Rows read = kept + set aside +
  duplicates, for every file. A table of which more than half of the rows (and at least five) would be set aside ends the run, unless
  `ingest.accept_mostly_refused` names it; so does one that lacks a required column.
- Only columns that are read must stand once. A text longer than its column allows (1,000 characters; ids and agents 200) is set aside.
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
    if table.without:
        lines += [f"Without it: {table.without}.", ""]
    if table.key or table.ordered:
        rules = [f"one row a `{', '.join(table.key)}`"] if table.key else []
        rules += [f"`{later}` is not before `{earlier}`" for earlier, later in table.ordered]
        lines += [f"Rules: {'; '.join(rules)}.", ""]
    lines += ["| source | Parquet | kind | required | empty | known | words | notes |", "|---|---|---|---|---|---|---|---|"]
    return [*lines, *map(_row, table.columns), *map(_row, table.derived), ""]


def _range(column: Column) -> str:
    if column.minimum is None or column.kind == "day":
        return ""
    return f" {column.minimum:g} to {column.maximum:g}" if column.maximum is not None else f" from {column.minimum:g}"


def _row(column: Column) -> str:
    words = "; ".join(column.vocabulary) or (f"{column.true[0]} / {column.false[0]}" if column.true else "")
    cells = [
        " or ".join(f"`{source}`" for source in (column.source, *column.other_headers)) if column.source else "added",
        f"`{column.name}`",
        column.kind + _range(column) + (f" ({column.unit})" if column.unit else ""),
        "yes" if column.required else "",
        "" if column.nullable else "refused",
        column.known.replace("_", " "),
        words.replace("|", "\\|") + (" (closed)" if column.closed else ""),
        column.note.replace("|", "\\|"),
    ]
    return "| " + " | ".join(cells) + " |"
