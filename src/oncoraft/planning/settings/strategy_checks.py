"""What strategies ask of one another: models that are lent, started from, or trained on everybody.

Each check raises ValueError with the key, as validators of the configuration do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oncoraft.planning.settings.models import Strategy, Training

LENT = ("adapter", "language_model_weight", "score_weight", "score_loss")


def check_lenders(strategies: Mapping[str, Strategy]) -> None:
    """`model_of` names a strategy that is trained, by the same settings."""
    for name, one in strategies.items():
        if one.model_of is None:
            continue
        key, lender = f"strategies.{name}.model_of", strategies.get(one.model_of)
        if lender is None or lender.model_of is not None or not lender.is_trained:
            raise ValueError(f"{key}: expected a strategy that is trained, found {one.model_of!r}")
        for part in LENT:
            if getattr(one, part) != getattr(lender, part):
                raise ValueError(f"{key}: expected {part} {getattr(lender, part)} as in {one.model_of!r}, found {getattr(one, part)}")


def check_scores(strategies: Mapping[str, Strategy]) -> None:
    """Response has one score; a head over choices is a text task's."""
    for name, one in strategies.items():
        if one.score_loss == "choices":
            raise ValueError(f"strategies.{name}.score_loss: expected bce or mse; choices is what the head of a text task learns")


def check_shard(training: Training, strategies: Mapping[str, Strategy]) -> None:
    """A base model in parts serves supervised strategies alone: the others read and write as often as each process happens to need."""
    if training.shard and (aligned := [f"strategies.{name} ({one.method})" for name, one in strategies.items() if one.is_aligned]):
        raise ValueError(f"training.shard: expected supervised strategies alone, found {aligned[0]}; run it by a configuration of its own")


def check_fp8(training: Training, tasks: Training, cells: Training, strategies: Mapping[str, Strategy]) -> None:
    """FP8 is for supervised training of language models on whole copies of the base."""
    for name, one in (("training", training), ("task_training", tasks)):
        if one.fp8_base and one.shard:
            raise ValueError(f"{name}.fp8_base: expected {name}.shard false beside it; a base model in parts is read as it is")
    if training.fp8_base and (aligned := [f"strategies.{name} ({one.method})" for name, one in strategies.items() if one.is_aligned]):
        raise ValueError(
            f"training.fp8_base: expected supervised strategies alone, found {aligned[0]}; run it by a configuration of its own"
        )
    if cells.fp8_base:
        raise ValueError("cell_training.fp8_base: expected false; models of cells are read as they are")


def check_final(final: Iterable[str], strategies: Mapping[str, Strategy]) -> None:
    """`final.strategies` names strategies that learn from labelled cases."""
    fit = [n for n, one in strategies.items() if one.is_trained and not (one.is_aligned or one.control or one.model_of or one.probe)]
    for name in final:
        if name not in fit:
            told = ", ".join(fit) or "of which there is none"
            raise ValueError(f"final.strategies: expected supervised strategies that train, {told}, found {name!r}")


def check_starts(strategies: Mapping[str, Strategy]) -> None:
    """`from` names a strategy with an adapter and a head, and no circle."""
    for name, strategy in strategies.items():
        one, seen = strategy, {name}
        while one.start is not None:
            where = f"strategies.{name}.from"
            if one.start not in strategies:
                raise ValueError(f"{where}: expected one of {', '.join(strategies)}, found {one.start!r}")
            if one.start in seen:
                raise ValueError(f"{where}: expected a strategy that does not itself go on from this one, found {one.start!r}")
            seen.add(one.start)
            before = strategies[one.start]
            if before.model_of is not None:
                raise ValueError(
                    f"{where}: expected a strategy with models of its own, found {one.start!r}, which lends those of {before.model_of!r}"
                )
            if not before.has_adapter:
                raise ValueError(f"{where}: expected a strategy that trains an adapter, found {one.start!r}")
            if not (before.has_head and one.has_head):
                raise ValueError(f"{where}: expected score_weight above 0 in both; the score is the head's")
            one = before
