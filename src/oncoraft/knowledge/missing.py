"""The words that mean "missing" in a study's tables: the one place where that is decided.

The portal's own list (bracketed), what R, pandas, spreadsheets and registries write, and the marks of people. A column whose
vocabulary lists a word keeps it (`Unknown` is a level of SAMPLE_TYPE, `N/A` of the registry's SUMMARY), and so does one that
lists it as `literal` (a dash is a strand and an allele in MAF).
"""

from __future__ import annotations

# `UNK` is not here: it is a gene (HGNC:20369) and a stage of the registry.
_PLAIN = (
    *("na", "n/a", "n.a.", "n.a", "<na>", "#n/a", "#na", "nan", "-nan", "null", "nil", "none", "missing", "undefined"),
    *("unknown", "not available", "not applicable", "not known", "not reported", "not recorded", "not specified"),
    *("not evaluated", "not released", "not provided", "not done", "not assessed", "unspecified", "not stated", "not collected"),
    *("not tested", "not performed", "not documented", "not determined", "no data", "n/k"),
    *(".", "..", "-", "--", "---", "–", "—", "?", "??", "???"),
)
# What spreadsheets, numeric libraries and databases write for a value that they do not have; never in brackets.
_MACHINES = (
    *("#value!", "#ref!", "#name?", "#num!", "#null!", "#div/0!", "#n/a n/a", "nat", "\\n"),
    *(f"{sign}1.#{word}" for sign in ("", "-") for word in ("ind", "qnan")),
)
# Words that are missing only in brackets: without them they may be a status.
_BRACKETED = ("pending", "discrepancy", "completed")
_WORDS = (*_PLAIN, *(f"[{word}]" for word in (*_PLAIN, *_BRACKETED)), *(f"({word})" for word in _PLAIN), *(f"<{word}>" for word in _PLAIN))
# In lower case; the empty cell is one of them.
MISSING_WORDS = frozenset(
    {"", *_MACHINES, *(word.replace(" ", joint) for word in _WORDS for joint in " _-"), *(word.replace(" ", "") for word in _WORDS)}
)


def is_missing_word(text: str) -> bool:
    """Whether a cell's text, in any case and with padding, says that there is no value."""
    return text.strip().lower() in MISSING_WORDS
