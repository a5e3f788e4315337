"""YAML as people mean it: a key stands once, and what cannot be read is named by its line."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file

MERGE = "tag:yaml.org,2002:merge"
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
# YAML 1.1 counts 017 in eights and 1:30 in sixties, which YAML 1.2 and people do not.
OTHER_BASE = re.compile(r"[-+]?(?:0[0-7_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)")


class StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which by itself lets the last of two equal keys win and tells no line of a number that is too long."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose keys differ; what `<<` merges in may be given again."""
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            key = None if key_node.tag == MERGE else self.construct_object(key_node, deep=True)
            # PyYAML itself refuses a key that cannot be hashed, with its line.
            if key is None or not isinstance(key, Hashable):
                continue
            line = key_node.start_mark.line + 1
            if key in lines:
                problem = f"the key {key!r} is given twice, in line {lines[key]} and line {line}"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key_node.start_mark)
            lines[key] = line
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value; one that Python refuses to make (5,000 digits, the 31st of February), or that means another number than it says, is
        named by its line."""
        if node.tag in NUMBERS and OTHER_BASE.fullmatch(node.value):
            problem = f"{node.value} would be read as a number to another base; write it in tens, or as text in quotes"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            # Behind the semicolon Python advises to raise its limit on digits, which is no advice for a configuration.
            raise yaml.constructor.ConstructorError(problem=str(error).partition(";")[0], problem_mark=node.start_mark) from None


def parse_yaml(text: str) -> Any:
    """The value of a YAML text."""
    return yaml.load(text, StrictLoader)  # a SafeLoader: it makes plain values alone


def read_yaml(path: Path) -> Any:
    """The value of a YAML file; None where it is empty.

    Raises:
        InputError: no regular file, unreadable, not UTF-8, not YAML, a key given twice, a value that cannot be made; with its line.
    """
    try:
        text = require_file(path, "a readable configuration file").read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"expected a readable configuration file ({error.strerror})", file=path) from None
    except UnicodeDecodeError as error:
        raise InputError("expected YAML in UTF-8", file=path, line=error.object.count(b"\n", 0, error.start) + 1) from None
    try:
        return parse_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise InputError(f"expected YAML ({problem})", file=path, line=mark.line + 1 if mark else None) from None
    except RecursionError:
        raise InputError("expected YAML (values nested too deep)", file=path) from None
