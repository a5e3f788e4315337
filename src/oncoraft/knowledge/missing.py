"""The words that mean "missing" in a study's tables: the one place where that is decided.

The portal's own list, what R, pandas, spreadsheets and registries write, and the marks of people, in one normal form: whatever the
case, the padding, the joint between words (`NOT_AVAILABLE`, `Not-Available`), brackets or quotes about it, or a full stop behind it,
and however often it is repeated (`NA/NA`, `Unknown (NA)`). A word is never looked for inside another, so that Nandrolone and Naples
stay. A column whose vocabulary lists a word keeps it (`Unknown` is a level of SAMPLE_TYPE, `N/A` of the registry's SUMMARY), and so
does one that lists it as `literal` (a dash is a strand and an allele in MAF).
"""

from __future__ import annotations

import re
import unicodedata

# `UNK` is not here: it is a gene (HGNC:20369) and a stage of the registry. A space is any joint or none, so that each text is told in one way.
WORDS = (
    *("n a", "n/a", "n.a", "nan", "null", "nil", "none", "missing", "undefined"),
    *("unknown", "not available", "not applicable", "not known", "not reported", "not recorded", "not specified"),
    *("not evaluated", "not released", "not provided", "not done", "not assessed", "unspecified", "not stated", "not collected"),
    *("not tested", "not performed", "not documented", "not determined", "no data", "n/k"),
)
# What spreadsheets, numeric libraries and databases write for a value that they do not have.
MACHINES = (
    *("#value!", "#ref!", "#name?", "#num!", "#null!", "#div/0!", "nat", "\\n"),
    *(f"{sign}1.#{word}" for sign in ("", "-") for word in ("ind", "qnan")),
)
# Words that are missing only in brackets: without them they may be a status.
BRACKETED = ("pending", "discrepancy", "completed")
_BRACKETS = {"[": "]", "(": ")", "<": ">", "{": "}", '"': '"', "'": "'"}
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_MARKS = re.compile(r"[\s.?_~\u2010-\u2015\u2212-]*")
_WORD = "|".join(sorted({re.escape(word).replace("\\ ", r"[\s_-]*").replace("/", r"\s*/\s*") for word in WORDS}, key=len, reverse=True))
# One of the words or several, each whole, and between and about them nothing that could say more.
_ONLY_WORDS = re.compile(rf"(?:[\W_]*(?:{_WORD})(?![^\W_]))+[\W_]*")
LONGEST = 200  # characters: what is longer says more than that there is nothing
# Supersets of the above for RE2, quick where most of a million texts are none: words and what is no letter, or text beyond ASCII.
ASCII_CANDIDATES = rf"^[\W_]*(?:(?:{_WORD}|{'|'.join(map(re.escape, (*MACHINES, *BRACKETED)))})[\W_]*)*$"
CANDIDATES = rf"[^\x00-\x7f]|{ASCII_CANDIDATES}"


def is_missing_word(text: str) -> bool:
    """Whether a cell's text says that there is no value."""
    if len(text) > LONGEST:
        text = text.strip()[: LONGEST + 1]
    bare = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip().casefold()
    while len(bare) > 1 and _BRACKETS.get(bare[0]) == bare[-1]:
        bare = bare[1:-1].strip()
        if bare in BRACKETED:
            return True
    is_short = len(bare) <= LONGEST
    return bare in MACHINES or (is_short and bool(_MARKS.fullmatch(bare) or _ONLY_WORDS.fullmatch(bare)))
