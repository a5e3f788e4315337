"""Configuration from files, the command line and rules: read, checked, and the first problem told in one line.

The line names the file, the line and the dotted key, what was expected and, for an unknown key, the nearest known one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import BLOCK_TYPES, Block, Config
from oncoraft.planning.yaml_file import parse_yaml, read_yaml

AnyBlock = TypeVar("AnyBlock", bound=Block)


# A float that YAML 1.1, and so PyYAML and the engine, takes for a text because it has no dot: 1e-5.
EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")


def read_blocks(names: Iterable[str], given: dict[str, Any]) -> dict[str, Any]:
    """Blocks from plain values (a rule's settings); a missing block has its defaults."""
    blocks: dict[str, Any] = {}
    for name in names:
        try:
            blocks[name] = _validated(BLOCK_TYPES[name], given.get(name, {}))
        except ValidationError as error:
            raise InputError(_first_problem(error, BLOCK_TYPES[name], prefix=name)) from None
    if unknown := set(given) - set(blocks):
        raise InputError(f"--settings: this step reads no block {sorted(unknown)[0]!r}; it reads {', '.join(blocks)}")
    return blocks


def read_model(model: type[AnyBlock], path: Path) -> AnyBlock:
    """A YAML file that is no configuration, such as a mapping file, as its own model.

    Raises:
        InputError: as `load_config`.
    """
    values = read_yaml(path)
    try:
        return _validated(model, {} if values is None else values)
    except ValidationError as error:
        line = _line_of(path, list(error.errors()[0]["loc"]))
        raise InputError(_first_problem(error, model), file=path, line=line) from None


def load_config(path: Path) -> Config:
    """Read one YAML file.

    Raises:
        InputError: unreadable, not YAML, a key given twice, an unknown key, a wrong type; file, line and key are named.
    """
    values = read_yaml(path)
    return check_config({} if values is None else values, [path])


def check_config(values: object, files: Iterable[Path] = (), words: Mapping[str, Any] | None = None) -> Config:
    """Validate values that came from `files` (merged, the last one winning) or the command line, `words` alone.

    Raises:
        InputError: the first problem, with the file and line of the offending key where it stands in one.
    """
    files = list(files)
    for file in files:
        read_yaml(file)  # the engine, which merged them, lets the last of two equal keys win without a word
    if not isinstance(values, dict):
        raise InputError("expected a mapping of configuration keys", file=next(iter(files), None), found=type(values).__name__)
    try:
        return _validated(Config, values, words)
    except RecursionError:  # an anchor within itself
        raise InputError("expected values that do not hold themselves", file=next(iter(files), None)) from None
    except ValidationError as error:
        location = [part for part in error.errors()[0]["loc"]]
        message = _first_problem(error, Config)
        # Of merged files the last one wins, so that the value stands in the last that has the key.
        for file in reversed(files):
            line = _line_of(file, location)
            if line is not None:
                raise InputError(message, file=file, line=line) from None
        raise InputError(message) from None


def _validated(model: type[AnyBlock], values: Any, words: Mapping[str, Any] | None = None) -> AnyBlock:
    """A block from plain values, no type taken for another: true is no 1, "1" is no 1, 1.0 is no 1; a whole number is a float.

    Args:
        model: the block.
        values: plain values.
        words: those of `values` that come from the engine's command line, within which every number is a text.
    """
    try:
        return model.model_validate(_frozen(values), strict=True)
    except ValidationError as error:
        meant = {tuple(one["loc"]): _meant(one, words or {}) for one in error.errors()}
        meant = {place: value for place, value in meant.items() if not isinstance(value, str)}
        if not meant:
            raise
    return model.model_validate(_frozen(values, meant), strict=True)


def _meant(problem: Any, words: Mapping[str, Any]) -> Any:
    """The value that a text stands for where a number or a truth value is expected; the text itself where it stands for none."""
    text, kind = problem["input"], problem["type"]
    if not isinstance(text, str):
        return ""
    if kind == "float_type" and EXPONENT.fullmatch(text):
        return float(text)
    word: Any = words
    for part in problem["loc"]:
        word = word.get(part) if isinstance(word, Mapping) else word[part] if isinstance(word, list) and isinstance(part, int) else None
    if word != text or kind not in {"int_type", "float_type", "bool_type"}:
        return text
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        return text


def _frozen(value: Any, meant: Mapping[tuple[int | str, ...], Any] | None = None, place: tuple[int | str, ...] = ()) -> Any:
    """The value with tuples for lists, as the blocks hold them, and with what is meant at some places."""
    if meant and place in meant:
        return meant[place]
    if isinstance(value, Mapping):
        return {key: _frozen(inner, meant, (*place, key)) for key, inner in value.items()}
    # Strict pydantic takes no list for a tuple.
    if isinstance(value, list | tuple):
        return tuple(_frozen(inner, meant, (*place, number)) for number, inner in enumerate(value))
    if isinstance(value, int) and abs(value) >= 2**63:
        raise InputError("expected a number of at most 64 bits", column=".".join(map(str, place)))
    return value


def _first_problem(error: ValidationError, model: type[Block], prefix: str = "") -> str:
    """One problem in words: the dotted key, what was expected, what was found."""
    problem = error.errors()[0]
    location = [str(part) for part in problem["loc"]]
    key = ".".join(([prefix] if prefix else []) + location)
    if problem["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        near = get_close_matches(location[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    named = f"{key}: " if key else ""
    if problem["type"] == "value_error":
        return f"{named}{expected}"
    return f"{named}expected {expected}, found {shown(problem['input'])}"


def shown(value: object) -> str:
    """A value in a message: as Python writes it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python's limit on the digits of an integer
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:80]}..."


def _keys_at(model: Any, location: list[str]) -> list[str]:
    """Field names of the model that stands at a dotted place."""
    for part in location:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            break
        if part in (fields := keys_of(model)):
            model = _model_inside(fields[part].annotation)
    return sorted(keys_of(model)) if isinstance(model, type) and issubclass(model, BaseModel) else []


def keys_of(model: type[BaseModel]) -> dict[str, Any]:
    """Key as it is written -> field."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_inside(annotation: Any) -> Any:
    """The model in an annotation such as `TinyModel | None` or `dict[Slug, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_inside(inner)
        if found is not None:
            return found
    return None


def _line_of(file: Path, location: list[Any]) -> int | None:
    """The 1-based line where a key (or, failing that, nothing) stands in a YAML file."""
    node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
    line = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if match is None:
                return None
            line, node = match[0].start_mark.line + 1, match[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
