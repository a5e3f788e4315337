"""`oncoraft crate`: a finished run as an RO-Crate; every reference resolves, every digest is that of the file, a faulty tree gets none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import file_digest, sealed, versions, write_json
from oncoraft.reruns import crate
from oncoraft.reruns.verify import CRATE, verify


def step(folder: Path, name: str, inputs: list[Path], outputs: dict[str, str], settings: dict[str, Any]) -> None:
    """A step's outputs and its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in outputs.items():
        (folder / file).write_text(text)
    record = {
        "step": name,
        "inputs": {os.path.relpath(path, folder): file_digest(path) for path in inputs},
        "outputs": {file: file_digest(folder / file) for file in outputs},
        "settings": settings,
        "counts": {},
        "versions": versions(),
    }
    write_json(folder / "manifest.json", sealed(record))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three steps, the first of which read a study outside the tree."""
    study = tmp_path / "study" / "data.txt"
    study.parent.mkdir()
    study.write_text("rows")
    root = tmp_path / "results"
    step(root / "tables", "ingest", [study], {"a.parquet": "a"}, {"ingest": {"strictness": "refuse"}, "code": "c0de"})
    step(
        root / "run/metrics",
        "metrics",
        [root / "tables/a.parquet"],
        {"metrics.json": "{}"},
        {"evaluation": {"seed": 47, "bootstrap": 2000}},
    )
    step(root / "report", "report", [root / "run/metrics/metrics.json"], {"index.html": "<p>"}, {})
    return root


def graph(root: Path) -> dict[str, dict[str, Any]]:
    """Entities of a crate by identifier, which has to be one of its own for each."""
    entities = json.loads((root / CRATE).read_text())["@graph"]
    found = {entity["@id"]: entity for entity in entities}
    assert len(found) == len(entities)
    return found


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "@id":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_what_the_profiles_require_is_there(results: Path) -> None:
    """RO-Crate 1.1: descriptor and root. Workflow RO-Crate: a main workflow with a language. Process Run Crate: actions with instruments."""
    assert crate.main([str(results)]) == 0
    entities = graph(results)
    descriptor, root = entities[CRATE], entities["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert {"@id": "https://w3id.org/ro/crate/1.1"} in descriptor["conformsTo"]
    assert {"name", "description", "datePublished", "license"} <= set(root)
    main = entities[root["mainEntity"]["@id"]]
    assert main["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert entities[main["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    assert (results / main["@id"]).read_text().startswith("# OncoRAFT workflow")
    actions = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    assert {action["@id"] for action in actions} == {reference["@id"] for reference in root["mentions"]}
    for action in actions:
        kind = entities[action["instrument"]["@id"]]["@type"]
        assert kind == "SoftwareApplication" or "ComputationalWorkflow" in kind
        assert action["result"]
        assert datetime.fromisoformat(action["endTime"]).tzinfo is not None
    assert entities[root["license"]["@id"]]["name"]


def test_every_reference_resolves_and_every_file_has_its_digest_and_size(results: Path) -> None:
    crate.main([str(results)])
    entities = graph(results)
    used = {reference for entity in entities.values() for key, value in entity.items() if key != "@id" for reference in references(value)}
    assert {name for name in used - set(entities) if not name.startswith("https://")} == set()
    files = {name: entity for name, entity in entities.items() if entity["@type"] == "File" and "sha256" in entity}
    assert {"tables/a.parquet", "tables/manifest.json", "run/metrics/metrics.json", "report/index.html"} <= set(files)
    for name, entity in files.items():
        assert entity["sha256"] == file_digest(results / name)
        assert entity["contentSize"] == str((results / name).stat().st_size)
    outside = [entity for name, entity in entities.items() if name.startswith("#outside/")]
    assert [(entity["@type"], entity["name"]) for entity in outside] == [("CreativeWork", "data.txt")]


def test_seeds_and_versions_are_told(results: Path) -> None:
    crate.main([str(results)])
    entities = graph(results)
    seed = entities["#setting/run/metrics/manifest.json/evaluation.seed"]
    assert (seed["name"], seed["value"]) == ("evaluation.seed", "47")
    assert seed["@id"] in set(references(entities["#action/run/metrics/manifest.json"]))
    named = {(entity["name"], entity["softwareVersion"]) for entity in entities.values() if entity["@type"] == "SoftwareApplication"}
    assert ("pandas", versions()["pandas"]) in named
    assert ("python", versions()["python"]) in named


def test_the_crate_is_no_fault_of_the_tree_and_is_its_witness(results: Path) -> None:
    crate.main([str(results)])
    assert verify(results)[0] == []
    manifest = results / "run/metrics/manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed": 47', '"seed": 48'))
    assert [(finding.kind, finding.path) for finding in verify(results)[0] if finding.path == manifest] == [
        ("broken", manifest),
        ("changed", manifest),
    ]


def test_the_workflow_files_of_a_crate_are_covered_by_it(results: Path) -> None:
    crate.main([str(results)])
    rules = sorted((results / "_workflow").rglob("*.smk"))
    for file in (results / "_workflow" / "Snakefile", rules[0]):
        file.write_text(file.read_text() + "# edited\n")
    assert {(finding.kind, finding.path) for finding in verify(results)[0]} == {
        ("changed", results / "_workflow" / "Snakefile"),
        ("changed", rules[0]),
    }


def test_it_is_written_again_in_place(results: Path) -> None:
    crate.main([str(results)])
    first = (results / CRATE).read_text()
    crate.main([str(results)])
    assert (results / CRATE).read_text() == first


def test_a_tree_with_a_fault_gets_no_crate(results: Path) -> None:
    (results / "tables/a.parquet").write_text("b")
    with pytest.raises(InputError, match=r"expected results that verify; 1 problems?, the first: changed .*a\.parquet"):
        crate.main([str(results)])
    assert not (results / CRATE).exists()
    assert not (results / "_workflow").exists()


def test_a_crate_that_is_none_is_told(results: Path) -> None:
    (results / CRATE).write_text("{}")
    assert [finding.kind for finding in verify(results)[0]] == ["broken"]
    shutil.rmtree(results)
