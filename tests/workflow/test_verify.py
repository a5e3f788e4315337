"""`oncoraft verify`: a whole tree is whole, and every planted fault is found, engine records or not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.foundation.provenance import file_digest, write_json
from oncoraft.reruns.manifests import SEAL, seal
from oncoraft.reruns.verify import Finding, verify

from .finished_run import FinishedRun

GROUP = pytest.mark.xdist_group("small-run")


@pytest.fixture
def results(finished_run: FinishedRun, tmp_path: Path) -> Iterator[Path]:
    """A copy of the finished results, which a test may harm."""
    shutil.copytree(finished_run.run / "results", tmp_path / "results")
    yield tmp_path / "results"
    shutil.rmtree(tmp_path / "results")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def edit_a_score(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    row = json.loads(lines[0])
    row["score"] = 1 - row["score"]
    path.write_text("".join([json.dumps(row) + "\n", *lines[1:]]))


def swap(path: Path) -> None:
    """Two shards exchanged, each whole in itself."""
    other = path.with_name("shard-1.jsonl")
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)


def another_digest(path: Path) -> None:
    record = json.loads(path.read_text())
    name = next(iter(record["outputs"]))
    record["outputs"][name] = "0" * 64
    path.write_text(json.dumps(record))


RUN = "small/tiny/raft/kfold"
FAULTS: dict[str, tuple[str, Callable[[Path], object], set[tuple[str, str]]]] = {
    "a truncated table": ("small/cases/labels.parquet", truncate, {("changed", "small/cases/labels.parquet")}),
    "an edited prediction": (f"{RUN}/predictions.jsonl", edit_a_score, {("changed", f"{RUN}/predictions.jsonl")}),
    "a deleted adapter": (
        f"{RUN}/fold-0/adapter_model.safetensors",
        Path.unlink,
        {("missing", f"{RUN}/fold-0/adapter_model.safetensors")},
    ),
    "two shards swapped": (
        f"{RUN}/fold-1/predictions/shard-0.jsonl",
        swap,
        {("changed", f"{RUN}/fold-1/predictions/shard-{shard}.jsonl") for shard in (0, 1)},
    ),
    "a digest edited in a manifest": (
        "small/cases/folds.parquet.manifest.json",
        another_digest,
        {("broken", "small/cases/folds.parquet.manifest.json")},
    ),
    "a manifest deleted": ("small/cases/followup.parquet.manifest.json", Path.unlink, {("extra", "small/cases/followup.parquet")}),
    "a manifest cut short": (f"{RUN}/survival/manifest.json", truncate, {("broken", f"{RUN}/survival/manifest.json")}),
    "a file of nobody's": (f"{RUN}/metrics/notes.csv", Path.touch, {("extra", f"{RUN}/metrics/notes.csv")}),
    "half a file of a killed job": (
        "small/cases/.partial-7-cases.parquet",
        Path.touch,
        {("partial", "small/cases/.partial-7-cases.parquet")},
    ),
    "a source table edited": (
        "small/study/data_timeline_treatment.txt",
        truncate,
        {("changed", "small/study/data_timeline_treatment.txt")},
    ),
    "logs and benchmarks deleted": ("small/logs", shutil.rmtree, set()),
}


def places(findings: list[Finding], results: Path) -> set[tuple[str, str]]:
    return {(finding.kind, finding.path.relative_to(results).as_posix()) for finding in findings}


@GROUP
@pytest.mark.slow
def test_a_finished_run_is_whole(results: Path) -> None:
    findings, counts = verify(results)
    assert findings == []
    assert counts["manifests"] > 30
    assert counts["outside"] == 0


@GROUP
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(results: Path, name: str) -> None:
    path, harm, expected = FAULTS[name]
    before = places(verify(results)[0], results)
    harm(results / path)
    found = places(verify(results)[0], results) - before
    assert expected <= found
    # A manifest that no longer reads leaves the files that it named without a name; nothing else is told.
    assert {kind for kind, _ in found} <= {kind for kind, _ in expected} | ({"extra", "stale"} if "manifest" in name else set())


@GROUP
@pytest.mark.slow
def test_a_result_made_from_an_older_version_of_its_input_is_stale(results: Path) -> None:
    """Labels are made again by hand, whole and with their manifest; what was made from the old ones is told, once each."""
    labels = results / "small/cases/labels.parquet"
    pd.read_parquet(labels).sort_values("case_id", ascending=False).to_parquet(labels)
    record = labels.with_name("labels.parquet.manifest.json")
    manifest = json.loads(record.read_text())
    manifest["outputs"]["labels.parquet"] = file_digest(labels)
    if SEAL in manifest:
        manifest[SEAL] = seal(manifest)
    write_json(record, manifest)
    findings = [finding for finding in verify(results / "small")[0] if finding.kind != "extra"]
    assert {finding.kind for finding in findings} == {"stale"}
    told = " ".join(finding.text for finding in findings)
    for step in ("rationales", "split", "baselines", "metrics", "flow"):
        assert f"{step} ran on another version of" in told
    assert "train ran" not in told  # its own input, the split, still is what it was


@GROUP
@pytest.mark.slow
def test_the_command_tells_one_line_a_problem_and_its_status(finished_run: FinishedRun, tmp_path: Path) -> None:
    copy = finished_run.copy(tmp_path / "copy")
    shutil.rmtree(copy.run / ".snakemake")
    done = copy.oncoraft("verify", "results/pretraining")
    assert done.returncode == 0, done.stdout
    *notes, last = done.stdout.splitlines()
    assert last.endswith("whole")
    assert [note.split(":")[0] for note in notes] == ["not covered", "no manifest of"]
    assert "report" in notes[1]
    (copy.run / "results/pretraining/cases/labels.parquet").unlink()
    done = copy.oncoraft("verify", "results/pretraining")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "missing  results/pretraining/cases/labels.parquet: written by labels"
    assert lines[-1].endswith("1 problem")
    shutil.rmtree(copy.folder)


def test_no_results_end_in_one_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "oncoraft", "verify", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}: expected results with manifests, found none\n"


def plant(folder: Path, step: str, *, inputs: dict[str, str], outputs: dict[str, str], is_sealed: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record: dict[str, object] = {"step": step, "inputs": inputs, "outputs": outputs, "settings": {"a": {"seed": 1}}}
    write_json(folder / "manifest.json", record | ({SEAL: seal(record)} if is_sealed else {}))


def test_an_input_outside_the_tree_that_is_not_here_is_counted_and_no_fault(tmp_path: Path) -> None:
    root = tmp_path / "results"
    (root / "tables").mkdir(parents=True)
    (root / "tables/a.parquet").write_text("a")
    plant(
        root / "tables", "ingest", inputs={"../../study/data.txt": "0" * 64}, outputs={"a.parquet": file_digest(root / "tables/a.parquet")}
    )
    findings, counts = verify(root)
    assert findings == []
    assert counts["outside"] == 1
    (tmp_path / "study").mkdir()
    (tmp_path / "study/data.txt").write_text("of another content")
    findings, _ = verify(root)
    assert [(finding.kind, finding.text) for finding in findings] == [("stale", "ingest ran on another version of ../../study/data.txt")]


def test_a_manifest_without_its_seal_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    plant(tmp_path, "ingest", inputs={}, outputs={"a": file_digest(tmp_path / "a")}, is_sealed=False)
    assert ("broken", tmp_path / "manifest.json") in {(finding.kind, finding.path) for finding in verify(tmp_path)[0]}


def test_a_sealed_manifest_shows_any_edit(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    plant(tmp_path, "ingest", inputs={}, outputs={"a": file_digest(tmp_path / "a")})
    assert verify(tmp_path)[0] == []
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed": 1', '"seed": 2'))
    findings, _ = verify(tmp_path)
    assert [(finding.kind, finding.path.name) for finding in findings if finding.kind == "broken"] == [("broken", "manifest.json")]
    assert "edited since" in findings[0].text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "expected a JSON object, found 'list'"),
        ("{}", "column step: expected this part of a manifest"),
        ('{"step": "trian", "inputs": {}, "outputs": {}, "settings": {}}', "expected the name of a step, found 'trian'"),
        ('{"step": "train", "inputs": {"x": "short"}, "outputs": {}, "settings": {}}', "expected a SHA-256 of x, found 'short'"),
    ],
)
def test_a_manifest_that_is_none_is_told_by_what_it_lacks(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    findings, _ = verify(tmp_path)
    assert [finding.kind for finding in findings] == ["broken"]
    assert said in findings[0].text
