"""Form and silence: a rationale is an argument in sentences, not a pile of words or the prompt again, and it tells no outcome.

The other verifiers read meaning off words and can be fooled by words without grammar; this one asks for the grammar. It knows English
only by its function words: which follow which, and how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import pairwise

from oncoraft.verifiers.claims import Claim
from oncoraft.verifiers.damage import EACH, damage
from oncoraft.verifiers.finding import Finding, Verdict
from oncoraft.verifiers.grammar import TOKEN, Grammar, breaches, grammar, longest_breath, place_of
from oncoraft.verifiers.text import REMEMBERED, Span, sentences

PLAIN_WORD = re.compile(r"[a-z0-9][\w*/'’+-]*")
LONGEST_BREATH = 30  # words without a comma or stop; English argues in shorter ones
MODIFIERS = frozenset(
    {"stage", "line", "her2", "hormone_receptor", "age", "pdl1", "msi", "mmr", "tmb", "sex", "treated", "cancer", "disease", "setting"}
)
LEAST_WORDS, MOST_WORDS = 12, 600
LEAST_FUNCTION, MOST_FUNCTION = 0.12, 0.75
TOLERATED_BREACHES = 0.02  # per word: ungrammatical neighbours that a good text may show to so crude a reader
TOLERATED_RECITAL = 0.5  # share of the prompt's longer statements that stand in a rationale word for word
LEAST_STATEMENT = 4  # words
LEAST_RECITED = 3  # statements of that length, below which a share tells nothing
LINE_BREAK = "\n"
COPIED_RUN = 6  # words in a row that also stand in the prompt
TOLERATED_COPY = 0.4
OUTCOME = re.compile(
    r"\b(?:responded|responders?|non-responders?|relapsed|recurred|died|dies|death|deceased|survived|survival|complete response|partial response"
    r"|stable disease|progressive disease|ground truth|true (?:score|label|outcome)|given (?:score|label|outcome)|the label|actual outcome)\b|\b(?:CR|PR|NED|PD(?!-?L?1))\b"
    r"|\b(?:the )?score (?:is|of|was)\b|\bscore\s*[:=]",
    re.IGNORECASE,
)
WRITTEN_SCORE = re.compile(r"(?<![\w.])[01]?\.\d+(?!\w)")
IDENTIFIER = re.compile(r"\bP-\d{4,}|\b\d{4}-\d{2}-\d{2}\b|-T\d{2}-IM\d")
# How model families spell what ends or divides a text. Read as text they teach a model to write them; read as tokens they end an answer
# early. Neither belongs into a rationale.
# Turn and end marks of the families of models that are trained here, and of the encoders and code models that share their tokenizers.
CONTROL = re.compile(
    r"<\|[^<>|\s]{1,60}\|?>|<[^<>|\s]{1,60}\|>|<｜[^<>｜]{1,60}｜>|<</?SYS>>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|ARGS|CALL_ID|THINK|IMG|IMG_BREAK|IMG_END|PREFIX|MIDDLE|SUFFIX"
    r"|CLS|SEP|PAD|MASK|UNK|BOS|EOS)\]"
    r"|</?(?:s|bos|eos|pad|unk|mask|sep|cls|think|tool_call|tool_response|start_of_turn|end_of_turn|start_of_image|end_of_image|image|image_soft_token"
    r"|fim_prefix|fim_middle|fim_suffix|file_separator|unused_?\d+|extra_id_\d+)>",
    re.IGNORECASE,
)
UPPER_ONLY = frozenset({"cr", "pr", "pd", "ned"})
TELLS_OUTCOME, TELLS_SCORE = "tells an outcome", "writes a score"
EARLIER = re.compile(r"\b(?:earlier|prior|previous|previously|before|last|line)\b", re.IGNORECASE)


def form(text: str, claims: Iterable[Claim], prompt: str, instruction: str = "") -> Verdict:
    """Sentences that hold together, of a sensible length, in words of one's own; the least of its marks.

    Args:
        text: the rationale.
        claims: from `read_claims(text)`.
        prompt: the statements of the prompt, one a line.
        instruction: other text that the writer was shown and may not hand back either.
    """
    parts = grammar(text)
    words = [word for _, part in parts for word in part.words]
    if not words:
        return Verdict(0.0)
    findings: list[Finding] = []
    length = min(1.0, len(words) / LEAST_WORDS) if len(words) <= MOST_WORDS else MOST_WORDS / len(words)
    if len(words) < LEAST_WORDS:
        length *= 0.5
    share = sum(part.function_words for _, part in parts) / len(words)
    balance = 1.0 if LEAST_FUNCTION <= share <= MOST_FUNCTION else 0.0
    broken = sorted([*breaches(parts), *_collisions(text, claims)])
    well_formed = max(0.0, 1.0 - max(0.0, len(broken) / len(words) - TOLERATED_BREACHES) / TOLERATED_BREACHES)
    findings += [Finding(span, "contradicted", "these words do not follow each other") for span in broken]
    controls = [Finding(Span(*match.span()), "contradicted", "spells a control token") for match in _controls(text)]
    findings += controls
    shown = prompt.lower()
    copied = copied_spans(parts, words, f"{shown}\n{instruction.lower()}")
    copy_share = sum(len(TOKEN.findall(text[span.start : span.end])) for span in copied) / len(words)
    own = max(0.0, 1.0 - max(0.0, copy_share - TOLERATED_COPY) / 0.2) if recited(text, shown) <= TOLERATED_RECITAL else 0.0
    findings += [Finding(span, "noted", "copied from the prompt") for span in copied]
    breath = 1.0 if longest_breath(parts) <= LONGEST_BREATH else 0.0
    plain = 0.0 if controls else 1.0
    places = damage(text)
    findings += places
    whole = max(0.0, 1.0 - EACH * len(places))
    return Verdict(
        min(length, balance, well_formed, own, breath, plain, whole, _sentence_share(parts), _variety(words)), tuple(sorted(findings))
    )


def _collisions(text: str, claims: Iterable[Claim]) -> list[Span]:
    """Facts that follow each other with nothing between ("EGFR L858R ECOG 1"); a modifier before its noun is none ("stage 4 lung cancer")."""
    return [
        Span(one.span.start, two.span.end)
        for one, two in pairwise(claims)
        if text[one.span.end : two.span.start] == " "
        and one.subject not in MODIFIERS
        and one.kind not in ("number", "drug_class", "family")
    ]


def _controls(text: str) -> Iterable[re.Match[str]]:
    return CONTROL.finditer(text) if "<" in text or "[" in text else ()


def _sentence_share(parts: list[tuple[int, Grammar]]) -> float:
    """1 where at least three in five sentences hold a verb and the text ends with a stop; else falling."""
    with_verb = sum(part.has_verb for _, part in parts)
    return min(1.0, with_verb / max(1, len(parts)) / 0.6) * (1.0 if parts[-1][1].is_stopped else 0.5)


def _variety(words: list[str]) -> float:
    """1 unless the same three words come again and again."""
    count = len(words) - 2
    if count < 10:
        return 1.0
    return min(1.0, len(set(zip(words, words[1:], words[2:]))) / count / 0.7)


def copied_spans(parts: list[tuple[int, Grammar]], words: list[str], shown: str) -> list[Span]:
    """Runs of six or more words that stand in what was shown in the same order, joined where they overlap.

    Args:
        parts: from `grammar`.
        words: all words of the text, lower case.
        shown: lines of the prompt and of whatever else was shown, lower case.
    """
    ends = _possible_ends(words, shown)
    if not ends:
        return []
    # Statements that two cases share are many: each is cut into words once.
    theirs = f" {' '.join(filter(None, map(_plain_words, shown.split(LINE_BREAK))))} "
    found: list[Span] = []
    for after in ends:
        first = after - COPIED_RUN
        if f" {' '.join(words[first:after])} " in theirs:
            start, end = place_of(parts, first).start, place_of(parts, after - 1).end
            if found and start <= found[-1].end:
                found[-1] = Span(found[-1].start, end)
            else:
                found.append(Span(start, end))
    return found


@lru_cache(maxsize=REMEMBERED)
def _plain_words(line: str) -> str:
    return " ".join(PLAIN_WORD.findall(line))


def _possible_ends(words: list[str], shown: str) -> list[int]:
    """Places behind six words in a row that all stand somewhere in what was shown, be it within other words: few texts have any."""
    ends: list[int] = []
    # Every run of six holds one of each sixth word, so that of most runs only one word is looked for.
    for place in range(COPIED_RUN - 1, len(words), COPIED_RUN):
        if words[place] not in shown:
            continue
        first = last = place
        while first > place - COPIED_RUN + 1 and words[first - 1] in shown:
            first -= 1
        while last + 1 < min(len(words), place + COPIED_RUN) and words[last + 1] in shown:
            last += 1
        ends += range(first + COPIED_RUN, last + 2)
    return ends


def recited(text: str, shown: str) -> float:
    """Share of the prompt's statements of four words or more that a text holds word for word; 0 where the prompt has fewer than three.

    Args:
        text: the rationale.
        shown: lines of the prompt, lower case.
    """
    longer = list(filter(None, map(_statement, shown.split(LINE_BREAK))))
    if len(longer) < LEAST_RECITED:
        return 0.0
    flat = " ".join(text.lower().split())
    return sum([line in flat for line in longer]) / len(longer)


@lru_cache(maxsize=REMEMBERED)
def _statement(line: str) -> str:
    """A line, evenly spaced and without its stop, if it has enough words to count as recited; else empty."""
    words = line.split()
    return " ".join(words).rstrip(".") if len(words) >= LEAST_STATEMENT else ""


def no_outcome(text: str, known: Collection[str] = ()) -> Verdict:
    """1 where neither an outcome, a label, a score nor an identifier is written; else 0. What earlier treatment brought may be told.

    Args:
        text: the rationale.
        known: numbers of the prompt, which are values and no score.
    """
    findings = []
    # Over a line break "score" and ":" may stand apart.
    parts = [Span(0, len(text))] if "\n" in text else sentences(text)
    for part in parts:
        for begin, end, reason in _tellings(text[part.start : part.end]):
            span = Span(part.start + begin, part.start + end)
            told = text[span.start : span.end]
            if told.lower() in UPPER_ONLY and not told.isupper():
                continue
            if reason == TELLS_SCORE and f"{float(told):g}" in known:
                continue
            start = max((found.end() for found in re.finditer(r"[.;\n]", text[: span.start])), default=0)
            if reason == TELLS_OUTCOME and EARLIER.search(text[start : span.start]):
                continue
            findings.append(Finding(span, "contradicted", reason))
    return Verdict(0.0 if findings else 1.0, tuple(sorted(findings)))


@lru_cache(maxsize=REMEMBERED)
def _tellings(part: str) -> tuple[tuple[int, int, str], ...]:
    """Begin, end and kind of what may tell an outcome, whatever stands before it."""
    patterns = ((OUTCOME, TELLS_OUTCOME), (WRITTEN_SCORE, TELLS_SCORE), (IDENTIFIER, "writes an identifier or date"))
    return tuple((*match.span(), reason) for pattern, reason in patterns for match in pattern.finditer(part))
