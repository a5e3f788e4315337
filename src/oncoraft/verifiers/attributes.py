"""Clinical values in running text: how each is named, in a prompt's terse statements and in prose alike, and its normal form."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

LINK_WORDS = (
    r"is|was|are|were|status|score|expression|performance|ps|of|at|in|remains?|being|type|tested|about|still|now|currently"
    r"|reads|has been|stays|sum"
)
LINK = rf"(?:\W{{1,3}}(?:{LINK_WORDS})\b){{0,4}}\W{{1,3}}(?P<no>not\s)?"
ORDINALS = {
    word: str(place)
    for place, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"), 1
    )
}
COUNTS = {word: str(place) for place, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)}
ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4"}
SITES = {
    "liver": "liver hepatic",
    "bone": "bone bones bony osseous skeletal",
    "brain": "brain cns cns/brain central cerebral intracranial leptomeningeal",
    "lung": "lung lungs pulmonary",
    "pleura": "pleura pleural",
    "abdomen": "intra-abdominal intraabdominal abdominal peritoneal peritoneum",
    "adrenal": "adrenal adrenals",
    "nodes": "lymph node nodes nodal lymphatic",
    "reproductive": "reproductive",
    "": "other",  # it holds a list of sites together and says nothing itself
}
SITE_OF = {word: site for site, words in SITES.items() for word in words.split()}
SITE_WORD = (
    "(?:" + "|".join(sorted(map(re.escape, SITE_OF), key=len, reverse=True)) + ")(?: glands?| nodes?| organs?| nervous system| sites?)?"
)
SITE_LIST = rf"{SITE_WORD}(?:(?:\s*,\s*|\s*/\s*|,?\s+(?:and|or|nor)\s+){SITE_WORD})*"
CANCERS = (
    "non-small cell lung|small cell lung|lung|breast|colorectal|colon|rectal|prostate|pancreatic|ovarian|gastric|oesophageal|esophageal"
    "|bladder|urothelial|renal|kidney|hepatocellular|thyroid|endometrial|cervical|skin|head and neck|testicular|uterine|pancreas"
)
CANCER_NAMES = {
    "nsclc": "lung",
    "sclc": "small cell lung",
    "crc": "colorectal",
    "colon": "colorectal",
    "rectal": "colorectal",
    "pancreas": "pancreatic",
    "non-small cell lung": "lung",
}
TREND = r"(?P<v>rising|falling|steady|stable|unchanged|rose|fell|increas\w+|decreas\w+|declin\w+|dropp\w+|climb\w+)"
MARKER = r"\b(?P<who>cea|ca[ -]?15-3|ca[ -]?19-9|psa)\b"


class Pattern(NamedTuple):
    """One way to name a value: groups `v` (value), `no` (a "not" before it) and `who` (subject) where the name varies."""

    subject: str
    regex: re.Pattern[str]
    normal: Callable[[str], str]


def _of(table: dict[str, str], default: str | None = None) -> Callable[[str], str]:
    """Normal form by the first prefix that fits; without one, `default` or the lower-case word itself."""
    prefixes = sorted(table.items(), key=lambda item: -len(item[0]))

    def normal(value: str) -> str:
        word = " ".join(value.lower().split())
        for prefix, meaning in prefixes:
            if word.startswith(prefix):
                return meaning
        return word if default is None else default

    return normal


def _stage(value: str) -> str:
    numeral = value.upper()
    return ROMAN.get(numeral, ROMAN.get(numeral.rstrip("ABC"), numeral.rstrip("ABC"))).lower()


def _ecog(value: str) -> str:
    word = "".join(value.lower().split())
    return COUNTS.get(word, "0" if word == "zero" else word)


def _age(value: str) -> str:
    word = value.lower()
    return word if word.endswith("s") else str(int(float(word)))


SIGN = _of(
    {
        "pos": "positive",
        "neg": "negative",
        "high": "positive",
        "express": "positive",
        "yes": "positive",
        "no": "negative",
        "absent": "negative",
    }
    | {"present": "positive", "low": "low", "amplified": "positive", "lost": "negative", "+": "positive", "-": "negative"}
)
MSI = _of(
    {"instab": "instable", "unstab": "instable", "high": "instable", "h": "instable", "stab": "stable", "s": "stable", "low": "stable"}
)
MMR = _of(
    {"defic": "deficient", "d": "deficient", "absent": "deficient", "lost": "deficient", "i": "intact", "p": "intact", "ret": "intact"}
)
TRENDS = _of(
    {"ris": "rising", "ros": "rising", "incr": "rising", "climb": "rising", "fall": "falling", "fell": "falling", "decr": "falling"}
    | {"decl": "falling", "drop": "falling", "ste": "steady", "sta": "steady", "unch": "steady"}
)
YES_NO = _of({"y": "yes", "n": "no"}, "yes")
SYSTEMIC = "(?:systemic |anti-?cancer |cancer |drug |palliative )?"
SETTING_WORDS = "neo-?adjuvant|adjuvant|perioperative|metastatic|palliative"
SETTINGS = _of({"neo": "neoadjuvant", "adj": "adjuvant", "met": "metastatic", "pall": "metastatic"})
DISEASE_WORDS = "(?:oligo-?)?metastatic|metastasi[sz]ed|disseminated|advanced|early[- ]stage|early|locali[sz]ed|locally advanced|(?:loco)?regional|resectable|resected"
DISEASE = _of(
    {
        "oligo": "metastatic",
        "met": "metastatic",
        "dis": "metastatic",
        "adv": "metastatic",
        "early": "local",
        "local": "local",
        "loco": "local",
    }
    | {"regional": "local", "resect": "local", "in situ": "local"}
)
CANCER = _of(CANCER_NAMES)
SIGNS = r"(?P<v>positive|positivity|negative|negativity|high|low|yes|no|absent|present|expressed|amplified)\b"


# Lower-case pieces of text without any of which no pattern of a subject can match: asking for them first is many times faster.
HINTS: dict[str, tuple[str, ...]] = {
    "cancer": ("cancer", "carcinoma", "tumo", "nsclc", "sclc", "crc"),
    "ecog": ("ecog", "performance"),
    "line": ("line", "first", "initial", "upfront"),
    "line_overall": ("overall",),
    "elsewhere": ("elsewhere", "prior medication"),
    "setting": ("adjuvant", "metastatic", "palliative"),
    "disease": ("metasta", "disease", "stage", "locali", "distant", "regional", "oligo"),
    "prior_lines": ("prior", "previous", "earlier"),
    "treated": ("treated", "naive", "naïve", "no prior", "no earlier", "no previous"),
    "gleason": ("gleason",),
    "age": ("age", "year", " in h", " in their"),
    "sex": ("male", "man"),
    "stage": ("stage",),
    "msi": ("msi", "microsat", "mss"),
    "mmr": ("mismatch", "mmr"),
    "tmb": ("tmb", "burden"),
    "pdl1": ("pd-l1", "pdl1"),
    "her2": ("her2", "her-2", "triple"),
    "hormone_receptor": ("hormone", "positiv", "negativ", "hr: "),
    "marker": ("cea", "ca ", "ca-", "ca1", "psa"),
    "progression": ("progress",),
    "cancer_presence": ("cancer",),
    "radiation": ("radi",),
    "surgery": ("surg", "resect", "operated"),
}


def _pattern(subject: str, regex: str, normal: Callable[[str], str] = str.lower) -> Pattern:
    return Pattern(subject, re.compile(regex, re.IGNORECASE), normal)


# In this order a stretch of text is taken: what a longer pattern has read no later one reads again.
PATTERNS: tuple[Pattern, ...] = (
    _pattern("cancer", rf"\b(?P<v>{CANCERS})[ -](?:cancers?|(?:adeno)?carcinomas?|tumou?rs?)\b|\b(?P<w>NSCLC|SCLC|CRC)\b", CANCER),
    _pattern("ecog", rf"\b(?:ecog|performance status){LINK}(?:ecog )?(?P<v>\d\d?(?:\s?[-–]\s?[0-4])?|zero|one|two|three|four)\b", _ecog),
    _pattern("line", r"\bline(?: of therapy)?\W{1,2}(?P<no>not )?(?P<v>\d{1,2})\b"),
    _pattern("line", r"\b(?P<v>\d{1,2})(?:st|nd|rd|th)[- ]line\b"),
    _pattern("line", rf"\b(?P<v>{'|'.join(ORDINALS)})[- ]lines?\b", _of(ORDINALS)),
    _pattern("line", r"\bnumber (?P<v>\d{1,2}) line\b"),
    _pattern("line", rf"\b(?P<v>front[- ]?line|upfront|(?:first|initial) {SYSTEMIC}(?:treatment|therapy|regimen))\b", lambda v: "1"),
    _pattern("line_overall", r"\btreatment number (?P<v>\d{1,3}) overall\b"),
    _pattern("elsewhere", r"\bprior medication status\W{1,3}(?P<v>yes|no)\b", YES_NO),
    _pattern(
        "elsewhere",
        r"\b(?P<no>not )?(?P<v>(?:pre-?)?treated|treatment|therapy|chemotherapy|regimens?)(?: was)?(?: given)? elsewhere\b",
        lambda v: "yes",
    ),
    _pattern("setting", rf"\bsetting\W{{1,2}}(?:is |of )?(?:the )?(?P<v>{SETTING_WORDS})\b", SETTINGS),
    _pattern(
        "setting",
        rf"\b(?P<v>{SETTING_WORDS})(?= {SYSTEMIC}(?:settings?|treatments?|therap(?:y|ies)|chemotherap(?:y|ies)|regimens?|intent)\b)",
        SETTINGS,
    ),
    _pattern("setting", rf"(?<=-line )(?P<v>{SETTING_WORDS})\b", SETTINGS),
    _pattern(
        "disease",
        rf"\b(?P<v>{DISEASE_WORDS})(?= (?:(?!(?:and|or|of|in|age|line|setting)\b)[\w-]+ ){{0,3}}(?:diseases?|cancers?|(?:adeno)?carcinomas?|tumou?rs?|nsclc|sclc|crc)\b)",
        DISEASE,
    ),
    _pattern("disease", r"\b(?P<v>distant metastas[ei]s)\b(?! of)", lambda v: "metastatic"),
    _pattern("disease", r"\bextent at diagnosis\W{1,2}(?P<v>in situ|locali[sz]ed|regional|distant)", DISEASE),
    _pattern(
        "prior_lines", rf"\b(?P<v>{'|'.join(COUNTS)}|\d{{1,2}}) (?:prior|previous|earlier) (?:lines?|regimens?|treatments?)\b", _of(COUNTS)
    ),
    _pattern(
        "treated",
        r"\b(?P<v>no (?:prior|previous|earlier) (?:systemic )?(?:therapy|treatments?|lines?|regimens?)|treatment[- ]na[iï]ve"
        r"|(?:therapy|drug|chemotherapy|chemo|systemic[- ]therapy)[- ]na[iï]ve|not (?:yet |previously )?been treated|never (?:been )?treated|previously untreated"
        r"|(?:heavily |extensively )(?:pre-?)?treated|pre-?treated|previously treated|untreated)\b",
        _of({"heavily": "heavily", "extens": "heavily", "pret": "yes", "pre-t": "yes", "previously t": "yes"}, "no"),
    ),
    _pattern("gleason", r"\bgleason(?: score)?(?: of)?\W{1,3}(?P<v>[1-5] ?\+ ?[1-5])(?!\d)", lambda v: str(int(v[0]) + int(v[-1]))),
    _pattern("gleason", rf"\bgleason{LINK}(?P<v>\d{{1,2}})\b"),
    _pattern(
        "age",
        r"\bage(?:d| is| of)?\W{1,2}(?P<v>\d{1,3}s|\d{1,3}(?:\.\d)?\b)|\b(?P<w>\d{1,3})[- ]years?[- ]old\b|\bin (?:his|her|their) (?:early |mid |late )?(?P<x>\d0s)\b",
        _age,
    ),
    _pattern("sex", r"\b(?P<v>female|woman|male|man)\b", _of({"fem": "female", "wom": "female", "m": "male"})),
    _pattern("stage", r"\bstage\W{1,2}(?:of |is |at )?(?P<no>not )?(?P<v>1-3|[0-4][abc]?|IV[abc]?|I{1,3}[abc]?)\b", _stage),
    _pattern(
        "msi",
        rf"\bMSI{LINK}(?P<v>instable|unstable|instability|stable|high|H\b|low|indeterminate)|\bmicrosatellite[- ](?P<w>instab\w+|unstable|stab\w+)|\b(?P<x>MSS)\b",
        lambda v: "stable" if v.lower() == "mss" else MSI(v),
    ),
    _pattern("mmr", r"\bmmr absent\W{1,3}(?P<v>yes|no)\b", lambda v: "deficient" if v.lower() == "yes" else "intact"),
    _pattern(
        "mmr",
        rf"\b(?:mismatch[- ]repair|MMR){LINK}(?P<v>deficien\w+|intact|proficien\w+|absent|retained|lost)|\b(?P<w>d|p)MMR\b|\b(?P<x>deficient|intact|proficient) mismatch[- ]repair\b",
        MMR,
    ),
    _pattern(
        "tmb",
        rf"\b(?:tmb|(?:tumou?r )?mutational burden)(?: \(nonsynonymous\))?{LINK}(?P<v>very low|low|intermediate|high|\d+(?:\.\d+)?)\b",
    ),
    _pattern("tmb", r"\b(?P<v>very low|low|intermediate|high)[- ](?:tmb|(?:tumou?r )?mutational burden)\b"),
    _pattern("pdl1", r"\bpd-?l1 positive\W{1,3}(?P<v>yes|no)\b", SIGN),
    _pattern("pdl1", rf"\bpd-?l1{LINK}{SIGNS}|\b(?P<w>positive|negative|high|low|absent)(?: for)? pd-?l1\b", SIGN),
    _pattern("her2", rf"\bher-?2{LINK}{SIGNS}|\b(?P<w>positive|negative)(?: for)? her-?2\b", SIGN),
    _pattern("hormone_receptor", rf"\bhormone[- ]receptors?{LINK}{SIGNS}", SIGN),
    _pattern("hormone_receptor", r"\bHR\W{1,3}(?P<v>yes|no)\b", SIGN),
    _pattern("hormone_receptor", rf"\b(?:HR|ER){LINK}(?P<v>positiv\w+|negativ\w+)\b", SIGN),
    _pattern("her2", r"\b(?P<v>triple[- ]negative)\b", lambda v: "negative"),
    _pattern("hormone_receptor", r"\b(?P<v>triple[- ]negative)\b", lambda v: "negative"),
    _pattern("marker", rf"{MARKER}(?:\W+[\w./]+){{0,5}}?\W+(?P<no>not )?{TREND}\b", TRENDS),
    _pattern("marker", rf"\b{TREND} {MARKER}", TRENDS),
    _pattern("progression", r"\bprogression\W{1,2}(?P<v>yes|no)\b", YES_NO),
    _pattern(
        "progression",
        r"\b(?P<v>(?<!to )(?:has |had )?progressed|progression (?:is |was )?(?:seen |shown |noted )?(?:on|at|by) (?:the |his |her )?"
        r"(?:last |latest |most recent |prior |previous |recent |earlier )*(?:imaging|(?:bone |pet )?scans?|CT|MRI?|PET|X-?ray|radiology|staging)"
        r"|(?:recent|documented|radiological|current) progression)\b",
        YES_NO,
    ),
    _pattern(
        "cancer_presence",
        r"\bcancer (?:is |was )?(?:visible |seen |present )?on (?:the )?(?:last |latest )?imaging\W*(?P<v>yes|no)?\b",
        YES_NO,
    ),
    _pattern("radiation", r"\b(?P<v>radiation(?: therapy| courses?)?|radiotherapy|irradiat\w+)\b", lambda v: "yes"),
    _pattern("surgery", r"\b(?P<v>surger(?:y|ies)|resect(?:ion|ions|ed)|operated)\b", lambda v: "yes"),
)
SITE_PATTERNS = tuple(
    re.compile(regex, re.IGNORECASE)
    for regex in (
        rf"\b(?P<v>{SITE_LIST})[ -](?:diseases?|metast\w+|involvement|lesions?|spread|mets|tumou?rs?|deposits?|progression)\b",
        rf"\b(?:metast\w+|disease|spread|involvement|lesions?|tumou?r sites?|sites?)(?: is| are| was)?(?: seen| found| known)?(?: on imaging)?(?: (?:in|to|of)|:)? (?:the )?(?P<v>{SITE_LIST})\b",
    )
)
SITE_ONE = re.compile(SITE_WORD, re.IGNORECASE)


def sites_in(text: str, start: int = 0, end: int | None = None) -> list[tuple[str, int, int]]:
    """Sites of a list of sites: (site, start, end)."""
    found = [
        (SITE_OF[one.group().lower().split()[0]], *one.span()) for one in SITE_ONE.finditer(text, start, len(text) if end is None else end)
    ]
    return [one for one in found if one[0]]


OPPOSITES = {"yes": "no", "no": "yes", "stable": "instable", "instable": "stable", "intact": "deficient", "deficient": "intact"}
OPPOSITES |= {"positive": "negative", "negative": "positive"}
LATEST = re.compile(r"\b(?:last|latest|most recent|current|currently|now|today)\b", re.IGNORECASE)
