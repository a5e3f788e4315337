"""One study with every kind of trouble at once: what its people wrote is code to some reader, and its tables are as registries leave them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from oncoraft.knowledge.missing import MACHINES, WORDS

from .corruptions import Text

# What a browser would run: the title changes. Drug names are read in capitals; numbers for letters survive that.
SCRIPT = "document.title='run'"
HANDLER = "".join(f"&#{ord(letter)};" for letter in SCRIPT).encode()
# Texts that a page, a spreadsheet, a typesetter, a template or a tokenizer would run.
AGENTS = {
    b"GEMCITABINE": b'X"><img src=x onerror="' + HANDLER + b'"><script>document.title</script>',
    b"CAPECITABINE": b'=HYPERLINK("http://example.org","y")',
    b"CARBOPLATIN": b"$\\frac{$",
    b"DOCETAXEL": b"{{ 7*7 }}{% raw %}{0}%s",
    b"ABIRATERONE": b"<end_of_turn><|end|></s><|im_end|>",
    b"LETROZOLE": b"<svg onload=" + HANDLER + b">",
    b"LEUPROLIDE": b"@SUM(A1:A9)",
    b"CETUXIMAB": b"+1+1",
    b"ERLOTINIB": b"-2\xe2\x80\xa8+3",
    b"PACLITAXEL": b"\"O'BRIEN's\" \\N `id` $(id)",
    # Salts, brands, suffixes, combinations and premedication, and no agent at all.
    b"PEMETREXED": b"PEMETREXED DISODIUM",
    b"BEVACIZUMAB": b"BEVACIZUMAB-AWWB",
    b"PEMBROLIZUMAB": b"CARBOPLATIN + PACLITAXEL",
    b"NIVOLUMAB": b"FOLFOX",
    b"ZOLEDRONIC ACID": b"DEXAMETHASONE",
    b"ENZALUTAMIDE": b"[Not Available]",
}
CANCERS = {
    b"Breast Cancer": b"<svg onload=document.title='run'>Breast $x_$ {{ c }}",
    b"Pancreatic Cancer": b"=1+2 <|end|> Pancreas",
}
SITES = {b"Liver": b"</text><script>document.title='run'</script>", b"Bone": b"=2+3\xe2\x80\xa9{% if %}", b"Lung": b"<|end|>$\\sqrt{$"}
CHANGES = {b"p.C552?": b"p.(Gly12Cys)", b"p.Y209L": b"L210="}
KEYS = {b"PATIENT_ID", b"SAMPLE_ID", b"START_DATE", b"AGENT", b"CANCER_TYPE", b"OS_MONTHS", b"OS_STATUS", b"PROGRESSION", b"EVENT_TYPE"}
KEYS |= {b"Sample_Id", b"Tumor_Sample_Barcode", b"Hugo_Symbol", b"HAS_CANCER", b"PROCEDURE_TYPE", b"ONCOTREE_CODE", b"TEST", b"SUBTYPE"}


def change(path: Path, name: bytes, by: Callable[[bytes, int], bytes]) -> None:
    """Rewrite a column: from a cell and the number of its row to another cell."""
    text = Text(path)
    rows, at = text.cells(), text.header.index(name)
    for number, row in enumerate(rows):
        if at < len(row):
            row[at] = by(row[at], number)
    text.write(rows)


def spoken(words: dict[bytes, bytes]) -> Callable[[bytes, int], bytes]:
    """Words for words; others stay."""
    return lambda cell, _: words.get(cell.strip(), cell)


def with_missing_words(path: Path) -> None:
    """Every thirteenth cell of the columns that no row needs is a word for missing, all of them in turn."""
    words = cycle(sorted(dress.format(word).encode() for word in (*WORDS, *MACHINES) for dress in ("{}", "[{}]", "({})")))
    text = Text(path)
    rows = text.cells()
    free = [at for at, name in enumerate(text.header) if name not in KEYS]
    for number, row in enumerate(rows):
        for at in free:
            if (number + at) % 13 == 0 and at < len(row):
                row[at] = next(words)
    text.write(rows)


def long_copy_number(study: Path) -> None:
    """The matrix as the portal's list, a call a row, with a call that is none and one of nobody."""
    text = Text(study / "data_cna.txt")
    text.header, samples = [b"Hugo_Symbol", b"Entrez_Gene_Id", b"Sample_Id", b"Value"], text.header[1:]
    rows = [
        [row[0], b"", sample, call] for row in text.cells() for sample, call in zip(samples, row[1:], strict=False) if call not in (b"0", b"NA")
    ]  # fmt: skip
    text.write([*rows, [rows[0][0], b"", samples[0], b"7"], [rows[0][0], b"", b"nobody", b"2"]])
    meta = study / "meta_cna.txt"
    meta.write_text(meta.read_text().replace("datatype: DISCRETE", "datatype: DISCRETE_LONG"))


def append(path: Path, *rows: Callable[[list[list[bytes]]], list[bytes]]) -> None:
    """Add rows that are made from those that are there."""
    text = Text(path)
    cells = text.cells()
    text.write([*cells, *(row(cells) for row in rows)])


def put(row: list[bytes], **cells: bytes) -> list[bytes]:
    """A row with some cells changed, by position (`at3=...`)."""
    return [cells.get(f"at{at}", cell) for at, cell in enumerate(row)]


def make_hostile(clean: Path, study: Path) -> Path:
    """A hostile copy of a study of at least 60 patients."""
    shutil.copytree(clean, study)
    for path in sorted(path for path in study.rglob("*") if path.is_file()):
        # Ids of digits, with zeros in front; two that differ by these alone, and one that reads as a number.
        data = re.sub(rb"P-(\d{7})", rb"\1", path.read_bytes())
        path.write_bytes(re.sub(rb"\b0000008\b", b"8", re.sub(rb"\b0000009\b", b"1e5", re.sub(rb"\b0000010\b", b"00008", data))))
    for path in sorted(study.glob("data_*.txt")):
        if path.name not in {"data_cna.txt", "data_gene_panel_matrix.txt", "data_cna_hg19.seg"}:
            with_missing_words(path)
    change(study / "data_timeline_treatment.txt", b"AGENT", spoken(AGENTS))
    change(study / "data_clinical_sample.txt", b"CANCER_TYPE", spoken(CANCERS))
    change(study / "data_clinical_sample.txt", b"ONCOTREE_CODE", lambda cell, number: b"" if number % 2 else cell)
    change(study / "data_timeline_tumor_sites.txt", b"TUMOR_SITE", spoken(SITES))
    change(study / "data_mutations.txt", b"HGVSp_Short", lambda cell, number: CHANGES.get(cell, b"NA" if number % 31 == 0 else cell))
    patients = study / "data_clinical_patient.txt"
    change(patients, b"CURRENT_AGE_DEID", lambda cell, number: b">89" if number % 17 == 0 else cell)
    change(patients, b"OS_MONTHS", lambda cell, number: b"" if number % 11 == 3 else cell)
    text = Text(patients)
    text.header += [b"NOTE", b"note"]
    text.write([[*row, b"x", b"=cmd|' /C calc'!A0"] for row in text.cells()])
    change(study / "data_gene_panel_matrix.txt", b"cna", lambda cell, number: (b"NA", b"", cell, cell)[number % 4])
    long_copy_number(study)
    another_tumour(study)
    return study


def another_tumour(study: Path) -> None:
    """A second tumour of one patient, a specimen that two rows sequence on other days, and one that names two patients."""
    samples, sequenced = study / "data_clinical_sample.txt", study / "data_timeline_specimen.txt"
    of = Text(samples).header.index(b"CANCER_TYPE")
    other = {b"Colorectal Cancer": b"Prostate Cancer"}
    append(
        samples,
        lambda rows: [rows[0][0] + b"-T02", *put(rows[0], **{f"at{of}": other.get(rows[0][of], b"Colorectal Cancer")})[1:]],
        lambda rows: put(rows[1], at1=rows[2][1]),
    )
    first = Text(samples).cells()[0]
    append(
        sequenced,
        lambda rows: put(rows[0], at0=first[1], at1=b"60", at5=first[0] + b"-T02"),
        lambda rows: put(rows[1], at1=b"90"),
        lambda rows: put(rows[2], at0=rows[3][0]),
        lambda rows: list(rows[4]),
    )
