"""What was entered in the form, checked against the drug table, the gene table and the declarations; what cannot be read is said of its field."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from oncoraft.evidence.fields import BY_NAME
from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import drugs
from oncoraft.knowledge.genes import genes
from oncoraft.knowledge.protein_changes import protein_change
from oncoraft.page.inputs import DERIVED, OF_DIAGNOSIS, OF_SPECIMEN, REPEATED, WITHOUT_VALUE, Input, column_of, inputs

MOST_ENTRIES, LONGEST_ENTRY = 400, 300
MOST_DAYS = 36_525  # as the declarations: an older record is a date error
CHANGE = re.compile(r"[A-Z*]?\d+")  # how every normal form of a protein change begins
CALLS = {"amplification": 2.0, "deletion": -2.0}


class Wrong(Exception):
    """Entries that cannot be read: (field, what was expected) of each."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {said}" for field, said in errors))
        self.errors = list(errors)


@dataclass(frozen=True)
class Entry:
    """One thing that was entered: a field, what it says, days before treatment, and for a marker which."""

    field: str
    value: str
    days: int | None = None
    detail: str = ""


def agent_list(text: str) -> list[str]:
    """Agents of the drug table that a text names.

    Raises:
        ValueError: one is not there; the nearest is named.
    """
    found: list[str] = []
    for part in filter(None, (part.strip() for part in re.split(r"[+;,\n]", text))):
        meant = resolve(part)
        if meant.way == "unknown":
            near = get_close_matches(part.upper(), drugs(), n=1, cutoff=0.7)
            raise ValueError("expected a drug of the drug table" + (f"; did you mean {near[0].lower()}?" if near else ""))
        found += [agent for agent in meant.agents if agent not in found]
    if not found:
        raise ValueError("expected at least one drug")
    return found


def gene(text: str) -> str:
    """A symbol of the gene table.

    Raises:
        ValueError: it is not there; the nearest is named.
    """
    symbol = text.strip().upper()
    if symbol not in genes():
        near = get_close_matches(symbol, genes(), n=1, cutoff=0.6)
        raise ValueError("expected a gene of the gene table" + (f"; did you mean {near[0]}?" if near else ""))
    return symbol


def mutation(text: str) -> str:
    """`EGFR p.Leu858Arg` as `EGFR L858R`; a gene alone is a mutation of it.

    Raises:
        ValueError: no known gene, or no protein change.
    """
    symbol, _, rest = text.strip().partition(" ")
    symbol, change = gene(symbol), protein_change(rest) if rest.strip() else ""
    if change is None or (rest.strip() and not CHANGE.match(change)):
        raise ValueError("expected a protein change after the gene, as in EGFR L858R or EGFR p.Glu746_Ala750del")
    return f"{symbol} {change}".strip()


def copy_number(text: str) -> str:
    """`met amplification` as `MET amplification`.

    Raises:
        ValueError: no known gene, or another word than amplification and deletion.
    """
    symbol, _, call = text.strip().partition(" ")
    if call.strip().lower() not in CALLS:
        raise ValueError("expected amplification or deletion after the gene, as in MET amplification")
    return f"{gene(symbol)} {call.strip().lower()}"


def fusion(text: str) -> str:
    """`eml4-alk` as `EML4-ALK`.

    Raises:
        ValueError: not two known genes.
    """
    parts = re.split(r"\s*(?:-|::|/|\s)\s*", text.strip().removesuffix(" fusion"))
    if len(parts) != 2:
        raise ValueError("expected the two genes of a fusion, as in EML4-ALK")
    return "-".join(gene(part) for part in parts)


READERS: dict[str, Callable[[str], str]] = {
    "drug": lambda text: " + ".join(agent_list(text)),
    "prior_regimen": lambda text: " + ".join(agent_list(text)),
    "mutation": mutation,
    "copy_number": copy_number,
    "structural_variant": fusion,
}


def read_value(asked: Input, text: str) -> str:
    """What was entered in its normal form.

    Raises:
        ValueError: not what is expected of the field.
    """
    if asked.name in READERS:
        return READERS[asked.name](text)
    if asked.is_number:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        low, high = asked.minimum, asked.maximum
        if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
            span = (
                f" from {low:g} to {high:g}" if low is not None and high is not None else f" of at least {low:g}" if low is not None else ""
            )
            raise ValueError(f"expected a number{span}" + (f" ({asked.unit})" if asked.unit else ""))
        column = column_of(asked.field)
        if (column is None or column.kind == "integer") and value != int(value):
            raise ValueError("expected a whole number")
        return f"{value:g}"
    same = next((word for word in asked.choices if word.lower() == text.lower()), None)
    if same is None and asked.is_closed:
        raise ValueError(f"expected one of {', '.join(asked.choices)}")
    return same or text


def read_entry(field: str, value: str, days: str | int | None, detail: str = "") -> Entry:
    """One entry, checked.

    Raises:
        ValueError: no such field, a value or a number of days that it cannot have.
    """
    asked = inputs().get(field)
    if asked is None:
        why = "it is derived from others" if field in DERIVED else "there is no such field"
        raise ValueError(f"expected a field of the form; {why}")
    if len(value) > LONGEST_ENTRY or len(detail) > LONGEST_ENTRY:
        raise ValueError(f"expected at most {LONGEST_ENTRY} characters")
    if any(not letter.isprintable() for letter in value):
        raise ValueError("expected printable characters on one line")
    told = read_value(asked, value.strip()) if asked.has_value else ""
    if asked.details and detail not in asked.details:
        raise ValueError(f"expected which marker: {', '.join(asked.details)}")
    if not asked.has_days:
        return Entry(field, told)
    if not re.fullmatch(r"\d{1,5}", str(days).strip()) or int(days or 0) > MOST_DAYS:
        raise ValueError(f"expected days before treatment, a whole number from 0 to {MOST_DAYS}")
    return Entry(field, told, int(days or 0), detail)


def read_entries(given: Iterable[dict[str, Any]]) -> list[Entry]:
    """Every entry, checked; those without a value are left out.

    Raises:
        Wrong: any cannot be read, a field stands twice that may not, or drugs or cancer type are missing.
    """
    entries, errors = list[Entry](), list[tuple[str, str]]()
    for row in list(given)[: MOST_ENTRIES + 1]:
        field, value, days = str(row.get("field", "")), str(row.get("value") or ""), row.get("days")
        is_empty = not value.strip() and (field not in WITHOUT_VALUE or days in (None, ""))
        if is_empty:
            continue
        try:
            entry = read_entry(field, value, days, str(row.get("detail") or ""))
            if field not in REPEATED and any(one.field == field for one in entries):
                raise ValueError("expected once")
            entries.append(entry)
        except ValueError as error:
            errors.append((field if field in BY_NAME else "field", str(error)))
    if len(entries) > MOST_ENTRIES:
        errors.append(("entries", f"expected at most {MOST_ENTRIES}"))
    there = {entry.field for entry in entries} | {field for field, _ in errors}
    errors += [(name, "expected, a case is not one without it") for name in ("drug", "cancer_type") if name not in there]
    if OF_SPECIMEN & there and "specimen_type" not in there:
        errors.append(("specimen_type", "expected, since something of a sequenced specimen is told"))
    if OF_DIAGNOSIS & there and "diagnosed" not in there:
        errors.append(("diagnosed", "expected, since something of the diagnosis is told"))
    if errors:
        raise Wrong(errors)
    return entries
