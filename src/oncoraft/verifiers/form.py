"""Form and silence: a rationale is an argument in sentences, not a pile of words or the prompt again, and it tells no outcome.

The other verifiers read meaning off words and can be fooled by words without grammar; this one asks for the grammar. It knows English
only by its function words: which follow which, and how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from oncoraft.verifiers.claims import Claim
from oncoraft.verifiers.damage import EACH, damage
from oncoraft.verifiers.finding import Finding, Verdict
from oncoraft.verifiers.text import REMEMBERED, Span, sentences, word_set

TOKEN = re.compile(r"[A-Za-z0-9][\w*/'’+-]*|[.,;:!?]")
PLAIN_WORD = re.compile(r"[a-z0-9][\w*/'’+-]*")
DETERMINERS = "the a an this that these those its his her their no every each"
PREPOSITIONS = "of to in on at for with by from into against without than as about between past"
CONJUNCTIONS = "and or but so because while where when if although though that which who yet"
VERBS = (
    "is are was were be been has have had do does did can could may might will would should must cannot makes make gives give goes keeps"
    " leaves lets lies works shows speaks argues favours favors supports marks meets promises allows limits offers weakens blocks targets"
    " predicts suggests points remains lowers raises helps responds carries holds stands comes takes adds needs weighs means expects"
)
PRONOUNS = "it they he she we i one none nothing there what"
ADVERBS = "not only also very more most less here now overall likely unlikely still even together"
FUNCTION_WORDS = frozenset(" ".join((DETERMINERS, PREPOSITIONS, CONJUNCTIONS, VERBS, PRONOUNS, ADVERBS)).split())
OPENERS = word_set(f"{DETERMINERS} {PREPOSITIONS}") - {"that", "this", "these", "those", "her", "past", "no", "each"}
ARTICLES = word_set("the a an its his their")
NEVER_AFTER_ARTICLE = word_set(f"{VERBS} {CONJUNCTIONS} {PREPOSITIONS} the a an") - {
    "makes",
    "works",
    "so",
    "targets",
    "past",
    "needs",
    "limits",
}
FINITE = frozenset(word for word in VERBS.split() if word.endswith("s")) | {"are", "were"}
NOUNS_TOO = word_set("targets marks limits supports works needs means points holds takes")
SUBORDINATORS = word_set("because although though while whereas if")
NEVER_AFTER_PREPOSITION = word_set("and or but because is are was were has have")
BARE_PREPOSITIONS = word_set("of to at for with from by into between")
BE = word_set("is are was were")
NEVER_AFTER_BE = word_set("is are was were has have does do did can will would and or")
VERB_LIKE = re.compile(r"^(?:\w{3,}(?:s|ed|en|ing)|is|are|was|were|has|have|had|can|may|might|will|would|should|be)$", re.IGNORECASE)
LONGEST_BREATH = 30  # words without a comma or stop; English argues in shorter ones
MODIFIERS = frozenset(
    {"stage", "line", "her2", "hormone_receptor", "age", "pdl1", "msi", "mmr", "tmb", "sex", "treated", "cancer", "disease", "setting"}
)
LEAST_WORDS, MOST_WORDS = 12, 600
LEAST_FUNCTION, MOST_FUNCTION = 0.12, 0.75
TOLERATED_BREACHES = 0.02  # per word: ungrammatical neighbours that a good text may show to so crude a reader
TOLERATED_RECITAL = 0.5  # share of the prompt's longer statements that stand in a rationale word for word
LEAST_STATEMENT = 4  # words
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
    tokens = [(match.group(), match.start(), match.end()) for match in TOKEN.finditer(text)]
    words = [token for token in tokens if token[0] not in ".,;:!?"]
    if not words:
        return Verdict(0.0)
    findings: list[Finding] = []
    length = min(1.0, len(words) / LEAST_WORDS) if len(words) <= MOST_WORDS else MOST_WORDS / len(words)
    if len(words) < LEAST_WORDS:
        length *= 0.5
    share = sum(word.lower() in FUNCTION_WORDS for word, _, _ in words) / len(words)
    balance = 1.0 if LEAST_FUNCTION <= share <= MOST_FUNCTION else 0.0
    breaches = sorted([*_breaches(tokens), *_collisions(text, claims)])
    grammar = max(0.0, 1.0 - max(0.0, len(breaches) / len(words) - TOLERATED_BREACHES) / TOLERATED_BREACHES)
    findings += [Finding(span, "contradicted", "these words do not follow each other") for span in breaches]
    controls = [Finding(Span(*match.span()), "contradicted", "spells a control token") for match in CONTROL.finditer(text)]
    findings += controls
    copied = copied_spans(words, f"{prompt}\n{instruction}")
    copy_share = sum(len(TOKEN.findall(text[span.start : span.end])) for span in copied) / len(words)
    own = max(0.0, 1.0 - max(0.0, copy_share - TOLERATED_COPY) / 0.2) if recited(text, prompt) <= TOLERATED_RECITAL else 0.0
    findings += [Finding(span, "noted", "copied from the prompt") for span in copied]
    breath = 1.0 if _longest_breath(tokens) <= LONGEST_BREATH else 0.0
    plain = 0.0 if controls else 1.0
    places = damage(text)
    findings += places
    whole = max(0.0, 1.0 - EACH * len(places))
    return Verdict(
        min(length, balance, grammar, own, breath, plain, whole, _sentence_share(text), _variety(words)), tuple(sorted(findings))
    )


def _breaches(tokens: list[tuple[str, int, int]]) -> list[Span]:
    """Neighbours that English does not allow: an article before a verb or a stop, a preposition before a stop, and the like."""
    found = []
    for (one, start, _), (two, _, end) in pairwise(tokens):
        first, second = one.lower(), two.lower()
        stop = second in ".,;:!?"
        if (
            (first in OPENERS and stop)
            or (first in ARTICLES and second in NEVER_AFTER_ARTICLE)
            or (first in BE and second in NEVER_AFTER_BE)
            or (first in FINITE and second in FINITE and not (first in BE and second in NOUNS_TOO))
            or (first in SUBORDINATORS and second in FINITE)
            or (first in BARE_PREPOSITIONS and second in NEVER_AFTER_PREPOSITION)
            or (first == second and first.isalpha())
            or (one in ".!?" and two[0].islower())
            or (
                one not in ".!?:"
                and two[0].isupper()
                and two[1:].islower()
                and len(two) > 2
                and first in FUNCTION_WORDS
                and two.lower() in FUNCTION_WORDS
            )
        ):
            found.append(Span(start, end))
    return found


def _collisions(text: str, claims: Iterable[Claim]) -> list[Span]:
    """Facts that follow each other with nothing between ("EGFR L858R ECOG 1"); a modifier before its noun is none ("stage 4 lung cancer")."""
    return [
        Span(one.span.start, two.span.end)
        for one, two in pairwise(claims)
        if text[one.span.end : two.span.start] == " "
        and one.subject not in MODIFIERS
        and one.kind not in ("number", "drug_class", "family")
    ]


def _longest_breath(tokens: list[tuple[str, int, int]]) -> int:
    """Most words in a row without a mark between them."""
    longest = run = 0
    for word, _, _ in tokens:
        run = 0 if word in ".,;:!?" else run + 1
        longest = max(longest, run)
    return longest


def _sentence_share(text: str) -> float:
    """1 where at least three in five sentences hold a verb and the text ends with a stop; else falling."""
    parts = [text[span.start : span.end] for span in sentences(text)]
    with_verb = sum(map(_has_verb, parts))
    ended = bool(re.search(r"[.!?][\"')]*\s*$", text))
    return min(1.0, with_verb / max(1, len(parts)) / 0.6) * (1.0 if ended else 0.5)


@lru_cache(maxsize=REMEMBERED)
def _has_verb(sentence: str) -> bool:
    return any(VERB_LIKE.match(word) and not word.isupper() for word in re.findall(r"[A-Za-z]+", sentence))


def _variety(words: list[tuple[str, int, int]]) -> float:
    """1 unless the same three words come again and again."""
    lower = [word.lower() for word, _, _ in words]
    triples = list(zip(lower, lower[1:], lower[2:]))
    if len(triples) < 10:
        return 1.0
    return min(1.0, len(set(triples)) / len(triples) / 0.7)


def copied_spans(words: list[tuple[str, int, int]], prompt: str) -> list[Span]:
    """Runs of six or more words that stand in the prompt in the same order, joined where they overlap."""
    theirs = " " + " ".join(filter(None, map(_plain_words, prompt.split("\n")))) + " "
    mine = [word.lower() for word, _, _ in words]
    found: list[Span] = []
    for place in range(len(mine) - COPIED_RUN + 1):
        if f" {' '.join(mine[place : place + COPIED_RUN])} " in theirs:
            start, end = words[place][1], words[place + COPIED_RUN - 1][2]
            if found and start <= found[-1].end:
                found[-1] = Span(found[-1].start, end)
            else:
                found.append(Span(start, end))
    return found


def recited(text: str, prompt: str) -> float:
    """Share of the prompt's statements of four words or more that a text holds word for word; 0 where the prompt has fewer than three."""
    flat = " ".join(text.lower().split())
    longer = [line for line in map(_long_statement, prompt.split("\n")) if line is not None]
    return sum(line in flat for line in longer) / len(longer) if len(longer) >= 3 else 0.0


@lru_cache(maxsize=REMEMBERED)
def _plain_words(statement: str) -> str:
    return " ".join(PLAIN_WORD.findall(statement.lower()))


@lru_cache(maxsize=REMEMBERED)
def _long_statement(statement: str) -> str | None:
    words = statement.lower().split()
    return " ".join(words).rstrip(".") if len(words) >= LEAST_STATEMENT else None


def no_outcome(text: str, known: Iterable[str] = ()) -> Verdict:
    """1 where neither an outcome, a label, a score nor an identifier is written; else 0. What earlier treatment brought may be told.

    Args:
        text: the rationale.
        known: numbers of the prompt, which are values and no score.
    """
    values = set(known)
    findings = []
    # Over a line break "score" and ":" may stand apart.
    parts = [Span(0, len(text))] if "\n" in text else sentences(text)
    for part in parts:
        for begin, end, reason in _tellings(text[part.start : part.end]):
            span = Span(part.start + begin, part.start + end)
            told = text[span.start : span.end]
            if told.lower() in UPPER_ONLY and not told.isupper():
                continue
            if reason == TELLS_SCORE and f"{float(told):g}" in values:
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
