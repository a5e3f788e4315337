"""Describe a finished run as an RO-Crate: `oncoraft crate results`.

Writes `ro-crate-metadata.json` into the results folder (RO-Crate 1.1, profile Workflow Run Crate 0.5) and a copy of the workflow's own files
beside it. All of it comes from the manifests: each file with its SHA-256 and size, each step as an action with what it read and wrote, its
settings and seeds as parameters, the versions of the software. A tree that `oncoraft verify` finds fault with gets no crate.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oncoraft import __version__
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import file_digest, publishing, write_json
from oncoraft.planning.edge import run, step_parser
from oncoraft.planning.steps import STEPS
from oncoraft.reruns.manifests import Manifest, manifest_files, plain, read_manifest
from oncoraft.reruns.reasons import flat
from oncoraft.reruns.verify import CRATE, relative, verify

log = logging.getLogger("oncoraft")

SOURCE = Path(__file__).parents[3] / "workflow"
WORKFLOW = "_workflow"  # folder of the copied workflow files, in the crate; no cohort or model can have this name
MAIN = f"{WORKFLOW}/Snakefile"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
PROFILES = [
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
]
LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"
FORMATS = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".txt": "text/plain",
    ".html": "text/html",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".safetensors": "application/octet-stream",
    ".pt": "application/octet-stream",
    ".seg": "text/tab-separated-values",
    ".smk": "text/plain",
    "": "text/plain",  # the Snakefile
}
Entity = dict[str, Any]


def reference(identifier: str) -> Entity:
    """A link to another entity."""
    return {"@id": identifier}


def references_to(identifiers: Iterable[str]) -> Entity | list[Entity]:
    """Links to other entities; one alone stands as it is, as the recommendation for JSON-LD in RO-Crate 1.1 is."""
    found = [reference(identifier) for identifier in identifiers]
    return found[0] if len(found) == 1 else found


def identifier_of(path: Path, root: Path) -> str:
    """A file's identifier in the crate: its path, or a fragment for a file that lies outside."""
    inside = path.is_relative_to(root)
    return relative(path, root) if inside else "#outside/" + relative(path, root).replace("../", "")


def file_entity(path: Path, root: Path, digest: str) -> Entity:
    """A file of the crate; one that lies outside (a study, a base model) is described without being part of it."""
    identifier = identifier_of(path, root)
    entity: Entity = {
        "@id": identifier,
        "@type": "File" if path.is_relative_to(root) else "CreativeWork",
        "name": path.name,
        "sha256": digest,
    }
    if path.is_relative_to(root):
        # A text, as schema.org has it.
        entity["contentSize"] = str(path.stat().st_size)
        if path.suffix in FORMATS:
            entity["encodingFormat"] = FORMATS[path.suffix]
    return entity


def parameters(one: Manifest, label: str) -> list[Entity]:
    """Every setting of a step, its seeds among them, as values of their own."""
    return [
        {"@id": f"#setting/{label}/{key}", "@type": "PropertyValue", "name": key, "value": json.dumps(value, ensure_ascii=False)}
        for key, value in sorted(flat(one.settings).items())
    ]


def action(one: Manifest, root: Path) -> list[Entity]:
    """A step that was run: what it read, what it wrote, with which settings; and those settings."""
    label = relative(one.path, root)
    settings = parameters(one, label)
    read = [identifier_of(path, root) for path in sorted(one.inputs)]
    return [
        {
            "@id": f"#action/{label}",
            "@type": "CreateAction",
            "name": f"oncoraft {one.step}",
            "description": STEPS[one.step].summary,
            "instrument": reference(f"#step/{one.step}"),
            "object": references_to([*read, *(setting["@id"] for setting in settings)]),
            "result": references_to(identifier_of(path, root) for path in sorted(one.outputs)),
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "endTime": finished([one]),
        },
        *settings,
    ]


def software(manifests: list[Manifest]) -> list[Entity]:
    """Every package version that a manifest records, and every step as an application of this package."""
    found: dict[tuple[str, str], None] = {}
    for one in manifests:
        record = json.loads(one.path.read_text(encoding="utf-8"))
        found |= dict.fromkeys(sorted(record.get("versions", {}).items()))
    packages = [
        {"@id": f"#software/{name}-{version}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in sorted(found)
    ]
    steps = [
        {
            "@id": f"#step/{step}",
            "@type": "SoftwareApplication",
            "name": f"oncoraft {step}",
            "description": STEPS[step].summary,
            "softwareVersion": __version__,
            "softwareRequirements": references_to(package["@id"] for package in packages),
        }
        for step in sorted({one.step for one in manifests})
    ]
    return packages + steps


def workflow_entities(files: list[Path], manifests: list[Manifest], root: Path) -> list[Entity]:
    """The workflow, its language, and the run of it as one action from study files to report."""
    written = {path for one in manifests for path in one.outputs}
    sources = sorted({path for one in manifests for path in one.inputs} - written)
    final = sorted(path for one in manifests if one.step in {"report", "metrics", "survival"} for path in one.outputs)
    language = {"@id": "https://w3id.org/workflowhub/workflow-ro-crate#snakemake", "@type": "ComputerLanguage", "name": "Snakemake"}
    return [
        {
            "@id": MAIN,
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "sha256": file_digest(SOURCE / "Snakefile"),
            "contentSize": str((SOURCE / "Snakefile").stat().st_size),
            "name": "OncoRAFT workflow",
            "programmingLanguage": reference(language["@id"]),
            "license": LICENCE,
            "version": __version__,
            "encodingFormat": FORMATS[""],
            "conformsTo": reference("https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"),
            "hasPart": references_to(f"{WORKFLOW}/{file.as_posix()}" for file in files if f"{WORKFLOW}/{file.as_posix()}" != MAIN),
        },
        language | {"identifier": reference("https://snakemake.github.io"), "url": reference("https://snakemake.github.io")},
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": "One run of the workflow",
            "description": f"From {len(sources)} source files to metrics, survival and report, by {len(manifests)} steps.",
            "instrument": reference(MAIN),
            "object": references_to(identifier_of(path, root) for path in sources),
            "result": references_to(identifier_of(path, root) for path in final),
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "endTime": finished(manifests),
        },
        *(
            {
                "@id": f"{WORKFLOW}/{file.as_posix()}",
                "@type": "File",
                "name": file.name,
                "encodingFormat": FORMATS[file.suffix],
                "sha256": file_digest(SOURCE / file),
                "contentSize": str((SOURCE / file).stat().st_size),
            }
            for file in files
            if file.name != "Snakefile"
        ),
    ]


def finished(manifests: list[Manifest]) -> str:
    """When the last of these steps ended, in UTC: the time of the newest manifest."""
    newest = max(one.path.stat().st_mtime for one in manifests)
    return datetime.fromtimestamp(newest, tz=UTC).isoformat(timespec="seconds")


def crate(root: Path, manifests: list[Manifest], workflow_files: list[Path], licence: str) -> Entity:
    """The whole of `ro-crate-metadata.json`, sorted, so that equal runs give equal crates but for the date."""
    recorded: dict[Path, str] = {}
    for one in manifests:
        recorded |= one.inputs | one.outputs
        recorded[one.path] = file_digest(one.path)
    files = [file_entity(path, root, digest) for path, digest in sorted(recorded.items())]
    actions = [entity for one in manifests for entity in action(one, root)]
    run_entities = workflow_entities(workflow_files, manifests, root)
    parts = [entity["@id"] for entity in [*files, *run_entities] if "File" in entity["@type"]]
    done = [entity["@id"] for entity in [*run_entities, *actions] if entity["@type"] == "CreateAction"]
    terms = {"@id": licence if licence.startswith("http") else "#licence", "@type": "CreativeWork", "name": licence}
    dataset = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"OncoRAFT results: {root.name}",
        "description": "A run of the OncoRAFT workflow: every file with its digest, every step with its inputs, settings, seeds and versions.",
        "datePublished": finished(manifests),
        "license": reference(terms["@id"]),
        "conformsTo": [reference(identifier) for identifier, _, _ in PROFILES],
        "mainEntity": reference(MAIN),
        "hasPart": [reference(identifier) for identifier in parts],
        "mentions": [reference(identifier) for identifier in done],
    }
    descriptor = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": reference("./"),
        "conformsTo": [reference("https://w3id.org/ro/crate/1.1"), reference(PROFILES[2][0])],
    }
    profiles = [{"@id": identifier, "@type": "CreativeWork", "name": name, "version": version} for identifier, name, version in PROFILES]
    return {"@context": CONTEXT, "@graph": [descriptor, dataset, terms, *profiles, *run_entities, *software(manifests), *actions, *files]}


def described(root: Path) -> list[Path]:
    """Files of an earlier crate of this tree, its own description among them; none where there is no crate."""
    try:
        graph = json.loads((root / CRATE).read_text(encoding="utf-8"))["@graph"]
        return [root / CRATE, *(root / entry["@id"] for entry in graph if entry["@type"] != "CreativeWork")]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the tree, then describe it."""
    parser = step_parser("crate", "example:\n  oncoraft crate results        (every cohort, the tiny model's own population among them)")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="results, or results/<cohort>; the crate is written into it")
    parser.add_argument("--license", default="Follows the licence of the cohort's data", help="licence of the results: a URL or words")
    given = parser.parse_args(arguments)
    root = plain(given.results.absolute())
    findings, _ = verify(root)
    # What an earlier crate says of the tree is about to be written anew, so that it is no fault.
    faults = [finding for finding in findings if finding.path.name != CRATE and "RO-Crate" not in finding.text]
    if faults:
        first = f"{faults[0].kind} {relative(faults[0].path, Path.cwd())}"
        raise InputError(
            f"expected results that verify; {len(faults)} problems, the first: {first} (`oncoraft verify` lists them)", file=given.results
        )
    manifests = [read_manifest(path) for path in manifest_files(root)]
    files = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*") if path.suffix == ".smk" or path.name == "Snakefile")
    if not files:
        raise InputError("expected the workflow's own files beside the package", file=SOURCE)
    with publishing(root / WORKFLOW, root / CRATE, step="crate", folders=[root / WORKFLOW], known=described(root)) as (workflow, metadata):
        for file in files:
            (workflow / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SOURCE / file, workflow / file)
        write_json(metadata, crate(root, manifests, files, given.license))
    log.info("crate: %d manifests described in %s", len(manifests), given.results / CRATE)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
