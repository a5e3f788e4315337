"""The guided form, made from the evidence declarations and the table specification: what can be entered, and whether it was.

A field is entered in the column that its declaration reads, so its words, units and bounds are those of the source. What the workflow
derives (lines of imaging history, mechanisms, bands) is derived here too, by the same code, and is not asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from oncoraft.evidence.declaration import KNOWN_IN_WORDS, Field
from oncoraft.evidence.fields import BY_NAME, FIELDS, MARKERS, SECTIONS
from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import MASKED, drugs
from oncoraft.knowledge.genes import genes
from oncoraft.knowledge.protein_changes import protein_change
from oncoraft.knowledge.tables import Column, table

MOST_ENTRIES, LONGEST_ENTRY = 400, 300
MOST_DAYS = 36_525  # as the declarations: an older record is a date error
SETTINGS = ("metastatic", "adjuvant", "neoadjuvant", "unknown")
CHANGE = re.compile(r"[A-Z*]?\d+")  # how every normal form of a protein change begins
CALLS = {"amplification": 2.0, "deletion": -2.0}
# Fields that are entered in another column than the first that they read; empty: in none of one table alone.
COLUMNS = {
    "diagnosed": "",
    "primary_site": "",
    "histology": "",
    "other_cancer": "",
    "specimen_site": "clinical_sample.metastatic_site",
    "specimen_histology": "clinical_sample.cancer_type_detailed",
    "pathological_group": "timeline_diagnosis.path_group",
    "mutation": "",
    "copy_number": "",
    "structural_variant": "",
    "tumor_marker": "timeline_psa_labs.result",
    "drug": "",
    "prior_regimen": "",
    "line": "",
    "line_overall": "",
    "setting": "",
    "concurrent_radiation": "",
    "cancer_type": "clinical_sample.cancer_type",
}
# What the workflow makes of other entries.
DERIVED = frozenset(
    [
        "drug_mechanism",
        "diagnosis",
        "imaging_history",
        "imaging_days",
        "organ",
        "tmb_value",
        "msi_comment",
        "not_listed",
        "prior_agents",
        "agents_of_other_cancer",
        "mutations_profiled",
        "copy_number_profiled",
        "structural_variants_profiled",
    ]
)
REPEATED = frozenset(
    [
        "progression",
        "cancer_presence",
        "tumor_sites",
        "tumor_marker",
        "ecog",
        "pdl1",
        "mmr",
        "gleason",
        "prior_regimen",
        "radiation",
        "surgery",
        "mutation",
        "copy_number",
        "structural_variant",
        "drug",
        "other_cancer",
        "outside_treatment",
    ]
)
OF_DIAGNOSIS = frozenset(("stage", "histology", "primary_site", "clinical_group", "pathological_group", "extent"))
OF_SPECIMEN = frozenset(
    ("specimen_site", "specimen_histology", "tumor_purity", "msi", "msi_score", "tmb", *("mutation", "copy_number", "structural_variant"))
)
DATED = REPEATED - {"drug", "mutation", "copy_number", "structural_variant"} | {"diagnosed", "specimen_type"}
WITHOUT_VALUE = frozenset(("diagnosed", "radiation", "surgery"))
LABELS = {
    "drug": "drug about to start",
    "ecog": "ECOG performance status",
    "age_at_index": "age",
    "tmb": "tumour mutational burden",
    "msi": "microsatellites",
    "msi_score": "MSI score",
    "her2": "HER2",
    "pdl1": "PD-L1",
    "mmr": "mismatch repair",
    "gleason": "Gleason score",
    "prior_regimen": "earlier regimen",
    "outside_treatment": "treatment elsewhere",
    "specimen_type": "specimen sequenced",
    "line": "line within the setting",
    "line_overall": "line among all",
}
BOOLEANS = {"mmr": ("deficient", "intact"), "concurrent_radiation": ("yes", "no")}
UNITS = {"gleason": "", "ecog": ""}
EXAMPLES = {
    "drug": "osimertinib",
    "prior_regimen": "carboplatin + pemetrexed",
    "mutation": "EGFR L858R",
    "copy_number": "MET amplification",
    "structural_variant": "EML4-ALK",
    "histology": "adenocarcinoma",
    "primary_site": "upper lobe, lung",
    "other_cancer": "Breast Cancer",
}


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


@dataclass(frozen=True)
class Input:
    """How a field is asked for.

    Attributes:
        choices: words to choose from; empty: free.
        is_closed: whether nothing else may be entered.
        is_number: of `minimum` to `maximum` (None: no bound).
    """

    field: Field
    label: str
    unit: str
    choices: tuple[str, ...]
    is_closed: bool
    is_number: bool
    minimum: float | None
    maximum: float | None

    @property
    def name(self) -> str:
        """Of the field."""
        return self.field.name

    @property
    def has_days(self) -> bool:
        """Whether the days before treatment are asked for."""
        return self.name in DATED

    @property
    def has_value(self) -> bool:
        """Whether more than the days is asked for."""
        return self.name not in WITHOUT_VALUE

    @property
    def is_repeated(self) -> bool:
        """Whether there may be several."""
        return self.name in REPEATED

    @property
    def details(self) -> tuple[str, ...]:
        """Which one of several is meant."""
        return tuple(MARKERS) if self.name == "tumor_marker" else ()

    @property
    def example(self) -> str:
        """What could be written."""
        return EXAMPLES.get(self.name, "")

    @property
    def note(self) -> str:
        """What a reader should know: the declaration's note, and when a record counts."""
        stale = f"; not shown when older than {self.field.stale_after_days} days" if self.field.stale_after_days else ""
        return "; ".join(filter(None, (self.field.note, KNOWN_IN_WORDS[self.field.known] + stale if self.has_days else "")))


def column_of(field: Field) -> Column | None:
    """The column in which a field is entered."""
    source = COLUMNS.get(field.name, field.sources[0])
    if not source:
        return None
    name, wanted = source.split(".")
    specification = table(name)
    return next(one for one in (*specification.columns, *specification.derived) if one.name == wanted)


def _input(field: Field) -> Input:
    column = None if field.name in WITHOUT_VALUE else column_of(field)
    label = LABELS.get(field.name, field.name.replace("_", " "))
    choices: tuple[str, ...] = ()
    is_closed, is_number = False, field.name in {"line", "line_overall"}
    low, high, unit = (1.0, 99.0, "") if is_number else (None, None, "")
    if column is not None:
        choices = BOOLEANS.get(field.name, ("positive", "negative")) if column.kind == "boolean" else column.vocabulary
        is_closed = column.kind == "boolean" or column.closed or field.name in {"stage", "msi", "outside_treatment", "specimen_type", "sex"}
        is_number = column.kind in {"integer", "number"}
        low, high = column.minimum, column.maximum
        unit = UNITS.get(field.name, column.unit) if is_number else ""
    if field.name == "setting":
        choices, is_closed = SETTINGS, True
    if field.name == "concurrent_radiation":
        choices, is_closed = BOOLEANS[field.name], True
    if field.name == "other_cancer":
        choices = table("clinical_sample").columns[[one.name for one in table("clinical_sample").columns].index("cancer_type")].vocabulary
        is_closed = True
    return Input(field, label, unit, choices, is_closed, is_number, low, high)


@cache
def inputs() -> dict[str, Input]:
    """Every field that can be entered, in the order of the declarations."""
    return {field.name: _input(field) for field in FIELDS if field.name not in DERIVED}


def sections() -> list[tuple[str, list[Input]]]:
    """The form: sections in prompt order with their inputs."""
    found = [(name, [one for one in inputs().values() if one.field.section == name]) for name in SECTIONS]
    return [(name, some) for name, some in found if some]


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


def is_masked(agent: str) -> bool:
    """Whether an agent is a masked one of a trial."""
    return agent == MASKED
