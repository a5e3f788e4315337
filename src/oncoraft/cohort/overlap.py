"""`oncoraft overlap`: who of a second cohort may be judged by models of the first.

Left out are patients who are in both cohorts (by the whole id of the patient or of a specimen, once a known prefix is taken off: nothing
fuzzy, nothing cut), those of a given list, and by default every patient of a centre that both cohorts share. Matched patients are listed:
they serve to compare labels, never as a test set.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.cohort.reader import unquoted
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import External
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
REASONS = ("the patient is in both cohorts", "a specimen is in both cohorts", "on the given list", "of a shared centre")
LIST = "patients.txt"
EPILOG = """\
SECOND and FIRST are folders written by `oncoraft ingest`. OUT receives patients.txt (who may be judged, an id a line), overlap.json
(patients by the reason for which they are left out) and matched.csv (who is in both, with the id there).

example:
  oncoraft overlap bpc/tables msk/tables --out overlap"""


def matched_ids(second: pd.Series, first: pd.Series, settings: External) -> dict[str, str]:
    """Id in the second cohort -> id in the first, where they are the same without a prefix; else where nothing but their case differs.

    Raises:
        InputError: two ids of one cohort are the same without it: the match would not be one to one.
    """
    found: list[dict[str, str]] = []
    for which, ids in (("second", second), ("first", first)):
        names: dict[str, str] = {}
        for name in ids.dropna().unique():
            if names.setdefault(settings.bare(name), name) != name:
                raise InputError(
                    f"expected prefixes without which the ids of the {which} cohort still differ; {names[settings.bare(name)]!r} is the same",
                    column="external.id_prefixes",
                    found=name,
                )
        found.append(names)
    folded: dict[str, str] = {}
    for bare, name in found[1].items():
        folded.setdefault(bare.casefold(), name)
    there = {name: found[1].get(bare, folded.get(bare.casefold())) for bare, name in found[0].items()}
    return {name: other for name, other in there.items() if other is not None}


def judge(
    second: dict[str, pd.DataFrame], first: dict[str, pd.DataFrame], settings: External, listed: set[str]
) -> tuple[list[str], dict[str, str], pd.DataFrame]:
    """Who of the second cohort may be judged, why the others may not, and who is in both.

    Args:
        second, first: clinical_patient (patient_id) and clinical_sample (patient_id, sample_id) of the two cohorts.
        settings: prefixes, centres.
        listed: further patients of the second cohort to leave out, their case folded.

    Returns:
        patients; patient left out -> the first reason that holds; matched patients with patient_id, patient_id_there, matched_specimens.
    """
    people = second["clinical_patient"]["patient_id"].drop_duplicates()
    same = matched_ids(people, first["clinical_patient"]["patient_id"], settings)
    specimens = matched_ids(second["clinical_sample"]["sample_id"], first["clinical_sample"]["sample_id"], settings)
    owner, owner_there = (part["clinical_sample"].set_index("sample_id")["patient_id"] for part in (second, first))
    by_specimen: dict[str, str] = {}
    shared: Counter[str] = Counter()
    for here, there in specimens.items():
        by_specimen.setdefault(owner[here], owner_there[there])
        shared[owner[here]] += 1
    centres = {name.casefold() for name in settings.shared_centres}
    pattern = re.compile(settings.centre_pattern, re.IGNORECASE)
    centre = {who: found[1].casefold() for who in people if (found := pattern.search(who))}
    tests = (
        lambda who: who in same,
        lambda who: who in by_specimen,
        lambda who: who.casefold() in listed,
        lambda who: centre.get(who) in centres,
    )
    out = {who: reason for who in people if (reason := next((r for r, test in zip(REASONS, tests, strict=True) if test(who)), None))}
    elsewhere = {who: same.get(who, by_specimen.get(who, "")) for who in people if who in same or who in by_specimen}
    matched = pd.DataFrame(
        {
            "patient_id": list(elsewhere),
            "patient_id_there": list(elsewhere.values()),
            "matched_specimens": [shared[who] for who in elsewhere],
        }
    )
    return [who for who in people if who not in out], out, matched


def counted(kept: Sequence[str], out: dict[str, str], matched: pd.DataFrame, settings: External) -> dict[str, Any]:
    """What stands in overlap.json."""
    reasons = Counter(out.values())
    pattern = re.compile(settings.centre_pattern, re.IGNORECASE)
    centres = Counter(found[1].upper() if (found := pattern.search(who)) else "not told by the id" for who in [*kept, *out])
    return {
        "patients": len(kept) + len(out),
        "kept": len(kept),
        "left_out": [{"reason": reason, "patients": reasons[reason]} for reason in REASONS],
        "matched_patients": len(matched),
        "matched_specimens": int(matched["matched_specimens"].sum()),
        "centres": dict(sorted(centres.items())),
        "shared_centres": list(settings.shared_centres),
    }


def read_listed(path: str | None) -> set[str]:
    """Ids of a list, one a line, their case folded; quotes that a spreadsheet has put about them are none of theirs.

    Raises:
        InputError: no such file, or no text.
    """
    if path is None:
        return set()
    file = require_file(Path(path), "a list of patients, an id a line")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("expected a list of patients in UTF-8, an id a line", file=file) from None
    return {unquoted(line.strip()).casefold() for line in lines} - {""}


def unknown_of(listed: set[str], patients: pd.Series, path: str | None) -> int:
    """How many of a list are no patients of the second cohort: whoever is meant by such an id is not left out by it.

    Raises:
        InputError: none of the list is.
    """
    unknown = sorted(listed - {who.casefold() for who in patients})
    if unknown and len(unknown) == len(listed):
        raise InputError("expected ids of patients as the second cohort has them, one a line", file=path, found=unknown[0])
    if unknown:
        log.warning("%s: %d of %d patients are not in the second cohort, e.g. %s", path, len(unknown), len(listed), unknown[0])
    return len(unknown)


def _tables(folder: Path) -> dict[str, pd.DataFrame]:
    wanted = {"clinical_patient": ["patient_id"], "clinical_sample": ["patient_id", "sample_id"]}
    paths = {name: require_file(folder / f"{name}.parquet", "a table written by `oncoraft ingest`") for name in wanted}
    return {name: pd.read_parquet(paths[name], columns=columns).astype(object) for name, columns in wanted.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare two cohorts, write who may be judged."""
    parser = step_parser("overlap", EPILOG)
    parser.add_argument("second", type=Path, metavar="SECOND", help="tables of the cohort to be judged")
    parser.add_argument("first", type=Path, metavar="FIRST", help="tables of the cohort that models were trained on")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("overlap", given)
    settings: External = blocks["external"]
    second, listed = _tables(given.second), read_listed(settings.shared_patients)
    unknown = unknown_of(listed, second["clinical_patient"]["patient_id"], settings.shared_patients)
    kept, out, matched = judge(second, _tables(given.first), settings, listed)
    if not kept:
        raise InputError(
            "expected at least one patient who may be judged; every one is left out", file=given.second, found=f"{len(out)} left out"
        )
    counts = counted(kept, out, matched, settings) | {"listed_unknown": unknown}
    files = [given.out / name for name in (LIST, "overlap.json", "matched.csv", "manifest.json")]
    with publishing(*files, step="overlap", home=given.out) as written:
        written[0].write_text("\n".join(kept) + "\n", encoding="utf-8")
        write_json(written[1], counts)
        write_csv(written[2], matched)
        inputs = [folder / f"{name}.parquet" for folder in (given.second, given.first) for name in ("clinical_patient", "clinical_sample")]
        inputs += [Path(settings.shared_patients)] if settings.shared_patients else []
        note = settings_record(given, blocks)
        outputs = dict(zip(files[:-1], written[:-1], strict=True))
        write_json(written[-1], manifest("overlap", inputs=inputs, outputs=outputs, settings=note, counts=counts, beside=files[-1]))
    log.info("overlap: %d of %d patients may be judged, %d are in both cohorts", len(kept), counts["patients"], len(matched))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
