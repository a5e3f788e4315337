"""Outputs appear whole or not at all, and replace nothing but earlier outputs of the same step."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ownership import BY_RULE
from oncoraft.foundation.provenance import file_digest, manifest, write_json
from oncoraft.foundation.publishing import claim, publishing

NAME = draw.text(draw.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name.strip(".")
)
TREES = draw.dictionaries(draw.lists(NAME, min_size=1, max_size=3).map(tuple), draw.binary(max_size=8), min_size=1, max_size=5)


def digest_of(folder: Path) -> dict[str, object]:
    """Every file of a folder with its digest and time, every folder and link by its name."""
    return {
        path.relative_to(folder).as_posix(): (file_digest(path), path.stat().st_mtime_ns) if path.is_file() else os.path.islink(path)
        for path in sorted(folder.rglob("*"))
    }


def write_files(out: Path, text: str, step: str = "gather") -> None:
    record = out.with_name(out.name + ".manifest.json")
    with publishing(out, record, step=step) as (file, note):
        file.write_text(text)
        write_json(note, manifest(step, inputs=[], outputs={out: file}, settings={}, counts={}, beside=record))


def write_folder(out: Path, names: list[str], step: str = "export", **other: object) -> None:
    with publishing(out, step=step, folders=[out], **other) as (folder,):  # type: ignore[arg-type]
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        outputs = {out / name: folder / name for name in names}
        write_json(
            folder / "manifest.json", manifest(step, inputs=[], outputs=outputs, settings={}, counts={}, beside=out / "manifest.json")
        )


def test_files_appear_only_when_all_is_written(tmp_path: Path) -> None:
    a, b = tmp_path / "out" / "a", tmp_path / "out" / "b"
    with publishing(a, b, step="x") as (first, second):
        first.write_text("1")
        second.write_text("2")
        assert not a.exists()
    assert (a.read_text(), b.read_text()) == ("1", "2")
    assert sorted(path.name for path in a.parent.iterdir()) == ["a", "b"]


def test_a_failure_leaves_nothing_not_even_folders_and_keeps_what_was_there(tmp_path: Path) -> None:
    write_files(tmp_path / "kept", "old")
    before = digest_of(tmp_path)

    def fail() -> None:
        with publishing(tmp_path / "deep" / "er" / "new", tmp_path / "kept", tmp_path / "kept.manifest.json", step="gather") as (
            _,
            second,
            _,
        ):
            second.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert digest_of(tmp_path) == before


def test_an_earlier_output_of_the_same_step_is_replaced_and_of_another_step_is_not(tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    write_files(out, "old")
    write_files(out, "new")
    assert out.read_text() == "new"
    with pytest.raises(InputError, match=r"results\.jsonl: expected no file here, or an earlier output of `oncoraft infer`"):
        write_files(out, "other", step="infer")
    assert out.read_text() == "new"


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"step": "gather"}', '{"step": 3, "inputs": {}, "outputs": {}}'])
def test_a_file_that_no_manifest_of_the_step_names_is_never_replaced(note: str | None, tmp_path: Path) -> None:
    out = tmp_path / "thesis.docx"
    out.write_text("years of work")
    if note is not None:
        (tmp_path / "thesis.docx.manifest.json").write_text(note)
    before = digest_of(tmp_path)
    with pytest.raises(InputError, match="expected no file here"):
        write_files(out, "x")
    assert digest_of(tmp_path) == before


def test_a_manifest_of_another_program_is_not_replaced_either(tmp_path: Path) -> None:
    (tmp_path / "new.manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(InputError, match=r"new\.manifest\.json: expected no file here"):
        write_files(tmp_path / "new", "x")
    assert not (tmp_path / "new").exists()


def test_an_earlier_folder_is_replaced_whole(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", ["stale", "deep/er"])
    write_folder(tmp_path / "model", ["fresh"])
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["fresh", "manifest.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@given(tree=TREES, is_earlier=draw.booleans())
@settings(max_examples=60, deadline=None)
def test_a_folder_that_holds_anything_else_is_never_touched(
    tree: dict[tuple[str, ...], bytes], is_earlier: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x") / "out"
    if is_earlier:
        write_folder(folder, ["config.json"])
    for place, content in tree.items():
        path = folder / "theirs" / Path(*place)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:  # one name is both a file and a folder in this draw, or too long
            continue
    if not any(path.is_file() for path in (folder / "theirs").rglob("*")):
        return
    before = digest_of(folder)
    with pytest.raises(InputError, match="such as theirs/"):
        write_folder(folder, ["fresh"])
    assert digest_of(folder) == before


def test_links_devices_and_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    before = digest_of(tmp_path)
    for name, said in (
        ("folder", "found a folder"),
        ("pipe", "found a pipe"),
        ("broken", "expected no file"),
        ("file/below", "expected a folder, found a file"),
    ):
        with pytest.raises(InputError, match=said):
            write_files(tmp_path / name, "x")
    with pytest.raises(InputError, match="found a pipe or a device"):
        write_files(Path(os.devnull), "x")
    with pytest.raises(InputError, match="expected a folder to write, found a file"):
        write_folder(tmp_path / "file", ["x"])
    assert digest_of(tmp_path) == before


def test_a_linked_folder_stays_a_link_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    write_folder(tmp_path / "disk" / "model", ["old"])
    (tmp_path / "model").symlink_to(tmp_path / "disk" / "model")
    write_folder(tmp_path / "model", ["new"])
    assert (tmp_path / "model").is_symlink()
    assert sorted(path.name for path in (tmp_path / "disk" / "model").iterdir()) == ["manifest.json", "new"]


def test_what_later_steps_wrote_below_a_folder_stays_and_what_is_stale_goes(tmp_path: Path) -> None:
    fold = tmp_path / "fold-0"
    write_folder(fold, ["adapter", "head"], step="train")
    (fold / "predictions").mkdir()
    (fold / "predictions" / "shard").write_text("kept")
    write_folder(fold, ["head", "log"], step="train", keeping=["predictions"])
    assert sorted(path.relative_to(fold).as_posix() for path in fold.rglob("*") if path.is_file()) == [
        "head",
        "log",
        "manifest.json",
        "predictions/shard",
    ]


def test_a_step_fills_no_folder_of_other_people(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("theirs")
    with pytest.raises(InputError, match=r"such as notes\.txt"):
        claim(tmp_path / "metrics.json", tmp_path / "manifest.json", step="metrics", home=tmp_path)
    write_json(
        tmp_path / "manifest.json", manifest("metrics", inputs=[], outputs={}, settings={}, counts={}, beside=tmp_path / "manifest.json")
    )
    claim(tmp_path / "metrics.json", tmp_path / "manifest.json", step="metrics", home=tmp_path)


def test_in_a_job_of_the_engine_what_the_step_writes_is_its_own_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "base"
    write_folder(base, ["config.json", "stale.json"], own=["*.json"])
    (base / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"such as config\.json"):
        write_folder(base, ["config.json"], own=["*.json"])
    monkeypatch.setenv(BY_RULE, "1")
    write_folder(base, ["config.json"], own=["*.json"])
    assert sorted(path.name for path in base.iterdir()) == ["config.json", "manifest.json"]
    (base / "notes.txt").write_text("theirs")
    with pytest.raises(InputError, match=r"such as notes\.txt"):
        write_folder(base, ["config.json"], own=["*.json"])


KILLED = """
import os, signal, sys
from pathlib import Path
from oncoraft.foundation import publishing
from tests.foundation.test_publishing import write_folder
count = 0
rename = Path.rename
def counted(self, target):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = counted
write_folder(Path(sys.argv[1]), ["new"])
"""


@pytest.mark.parametrize("at", [1, 2])
def test_killed_between_two_renames_an_output_is_still_there_and_the_next_call_tidies_up(at: int, tmp_path: Path) -> None:
    model = tmp_path / "model"
    write_folder(model, ["old"])
    done = subprocess.run([sys.executable, "-c", KILLED, str(model), str(at)], cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("old"))
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(InputError):
        claim(model, tmp_path / "elsewhere", step="export", folders=[model], record=model / "manifest.json")
    assert (model / "old").is_file()
    write_folder(model, ["new"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "model"]
    assert sorted(path.name for path in model.iterdir()) == ["manifest.json", "new"]


def test_a_rename_that_fails_brings_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model"
    write_folder(model, ["old"])
    before = digest_of(tmp_path)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.startswith(".partial"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(InputError, match=r"model: expected to be able to write it \(Input/output error\)"):
        write_folder(model, ["new"])
    assert digest_of(tmp_path) == before


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(30, "Read-only file system"),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_what_the_disk_refuses_is_one_line_and_leaves_nothing(error: Exception, tmp_path: Path) -> None:
    def fail() -> None:
        with publishing(tmp_path / "a" / "out.jsonl", step="gather") as (out,):
            out.write_text("half")
            raise error

    with pytest.raises(InputError, match=r"out\.jsonl: expected to be able to write it \("):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_defect_keeps_its_own_error(tmp_path: Path) -> None:
    def fail() -> None:
        with publishing(tmp_path / "out", step="gather"):
            raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        fail()


def test_the_manifest_of_an_older_version_still_names_its_outputs(tmp_path: Path) -> None:
    out = tmp_path / "old.jsonl"
    out.write_text("x")
    (tmp_path / "old.jsonl.manifest.json").write_text(json.dumps({"step": "gather", "inputs": {}, "outputs": {"old.jsonl": "0" * 64}}))
    write_files(out, "new")
    assert out.read_text() == "new"
