"""Digests and manifests."""

from pathlib import Path

import pytest

from oncoraft.foundation.provenance import canonical_json, file_digest, manifest
from oncoraft.foundation.stable import stable_fraction, stable_seed


def test_a_manifest_is_the_same_wherever_the_tree_stands(tmp_path: Path) -> None:
    records = []
    for place in ("here", "there"):
        root = tmp_path / place
        (root / "in").mkdir(parents=True)
        (root / "in" / "x").write_text("content")
        out = root / "out" / "y"
        out.parent.mkdir()
        out.write_text("result")
        records.append(
            manifest("flow", inputs=[root / "in"], outputs={out: out}, settings={}, counts={"n": 1}, beside=root / "out" / "manifest.json")
        )
    assert records[0] == records[1]
    assert records[0]["inputs"] == {"../in/x": file_digest(tmp_path / "here" / "in" / "x")}
    assert list(records[0]["outputs"]) == ["y"]


def test_canonical_json_does_not_depend_on_key_order_but_on_which_key_has_which_value() -> None:
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1})
    assert canonical_json({"rank": 8, "alpha": 16}) != canonical_json({"rank": 16, "alpha": 8})


def test_stable_numbers_are_those_of_any_other_machine() -> None:
    # sha256 of "17", 0x1f, "P-0000001": first eight bytes big-endian over 2**64, computed once with coreutils sha256sum
    assert stable_fraction(17, "P-0000001") == pytest.approx(int("1e0eeca59dae22c3", 16) / 2**64, abs=0)
    assert stable_seed(1, "train", 0) != stable_seed(1, "train", 1)
    assert 0 <= stable_seed("x") < 2**32
