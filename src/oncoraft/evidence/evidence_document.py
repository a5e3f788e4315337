"""`docs/evidence.md`, made from the allow-list: `python -m oncoraft.evidence.evidence_document` writes it."""

from __future__ import annotations

from pathlib import Path

from oncoraft.evidence.allow_list import UNDATED
from oncoraft.evidence.declaration import KINDS_IN_WORDS, KNOWN_IN_WORDS, NEVER_CUT, Field
from oncoraft.evidence.fields import FIELDS, SECTIONS

PAGE = Path(__file__).parents[3] / "docs" / "evidence.md"
OPENING = """\
# Evidence at the index date

What may be shown of a case, and nothing else. Made from `src/oncoraft/evidence/fields.py`.

- A field reads only the columns named here. Columns that are undated or look ahead (highest stage, highest Gleason score, sites
  ever seen, PD-L1 ever, smoking over all notes, current age as such, survival) are not read at all.
- *Known* says from when a record counts. *Stale* is the age in days from which it no longer does; without it, a record keeps its
  meaning for life (36,525 days: an older one is a date error of the source).
- A field says what is known and never that something is not known: everybody in the cohort is sequenced some day, so "not yet
  sequenced" would tell the future. Absent evidence is an absent statement.
- Where records of a day or of a diagnosis contradict one another, one rule decides, said in the notes: disease wins over no disease,
  the stage over group and extent, a note of treatment over one of none. Sites, codes and abbreviations are settled in `words`.
- Cancer type, diagnosis, setting and line are those of the case list, which knows them by the index date; the audit refuses a cancer
  registered more than 30 days after it. The protocol of a case is not shown: its later part lies after the index date.
- Of repeated kinds the closest records are shown (setting `evidence.records_per_kind`, three).
- *Kept* is the priority when the token budget is short: the lowest goes first, the oldest first among equals, always a whole
  statement; *always* is never cut.
- How a statement reads stands in braces where a value comes in: `{value}` is also the machine-readable value in
  `evidence.parquet`, `{ago}` the days before treatment in words.
- *Kind* says what that value is; models on evidence are built by it, from the column `kind` of `evidence.parquet`.
- `oncoraft audit` changes everything after the index date and demands the same bytes; training waits for it.

Known, in words:
"""


def evidence_document() -> str:
    """The page in Markdown: the rules, then one table a section of the prompt."""
    lines = [OPENING + "\n".join(f"- *{name.replace('_', ' ')}*: {words}." for name, words in KNOWN_IN_WORDS.items()), ""]
    lines += ["Kinds of value:", *(f"- *{name}*: {words}." for name, words in KINDS_IN_WORDS.items()), ""]
    undated = ", ".join(f"`{name}`" for name in UNDATED)
    lines += [f"Fields whose source has no date, each with its reason below: {undated}.", ""]
    for section in SECTIONS:
        lines += [f"## {section.replace('_', ' ').capitalize()}", "", "| field | from | known | stale | kept | kind | reads | notes |"]
        lines += ["|---|---|---|---|---|---|---|---|", *(_row(field) for field in FIELDS if field.section == section), ""]
    return "\n".join(lines)


def _row(field: Field) -> str:
    notes = [f"one line a case: *{field.listed}*"] if field.listed else []
    notes += ["only in the `oncoraft` layout"] if field.layout_only else []
    notes += [field.note] if field.note else []
    cells = [
        f"`{field.name}`",
        ", ".join(f"`{source}`" for source in field.sources),
        field.known.replace("_", " "),
        str(field.stale_after_days or ""),
        "always" if field.priority == NEVER_CUT else str(field.priority),
        field.kind,
        f"`{field.text}`",
        "; ".join(notes),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(evidence_document(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(PAGE.parents[1])}")
