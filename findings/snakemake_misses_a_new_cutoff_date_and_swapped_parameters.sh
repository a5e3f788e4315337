#!/usr/bin/env bash
# snakemake 9.27.1: parameters of a rule that change and do not rerun it
#
# Guess: a rule whose params differ from those of the last run is run again ("params have changed since last execution"), whatever kind of value they are.
# Fact:  only Python's plain types are remembered, and as a sorted list without their names. A date is none of them: `cutoff: 2024-06-30` in a configuration
#        file is read as a date, so a new data cutoff gives "Nothing to be done" and the result of the old one. So it is with a path, a numpy number (the
#        largest value of a column) and an array. And two parameters that change places are the same list: reference and treated swapped, lower and upper
#        limit swapped, train and test fold swapped leave the old file. Text in quotes, or another value beside the swap, reruns. Nothing is said.
# Why:   the data cutoff is the first thing that is moved in a cohort study, and a hazard ratio against the other reference is its inverse. The configuration file, the
#        log and the figure's caption say the new value, the number is that of the old one, and a colleague's clean run finds another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile snakemake==9.27.1 numpy==2.4.6
cat > Snakefile <<'RULES'
from pathlib import Path

import numpy as np

configfile: "config.yaml"

rule all:
    input: "date.txt", "text.txt", "path.txt", "largest.txt", "ratio.txt"

rule date:
    output: "date.txt"
    params: cutoff=config["cutoff"]
    shell: "echo {params.cutoff} > {output}"

rule text:
    output: "text.txt"
    params: cutoff=str(config["cutoff"])
    shell: "echo {params.cutoff} > {output}"

rule path:
    output: "path.txt"
    params: release=Path(config["release"])
    shell: "echo {params.release} > {output}"

rule largest:
    output: "largest.txt"
    params: months=np.array(config["months"]).max()
    shell: "echo {params.months} > {output}"

rule ratio:
    output: "ratio.txt"
    params: treated=config["treated"], reference=config["reference"]
    shell: "echo {params.treated} over {params.reference} > {output}"
RULES
configure() { printf 'cutoff: %s\nrelease: %s\nmonths: [12, %s]\ntreated: %s\nreference: %s\n' "$@" > config.yaml; }
call() { venv/bin/snakemake --cores 1 > log 2>&1 || { cat log; exit 1; }; }
configure 2024-06-30 release_1 24 immunotherapy chemotherapy
call
configure 2025-06-30 release_2 36 chemotherapy immunotherapy
call
echo "second run, after every value has changed: guess the new values, fact"
head -n 1 date.txt path.txt largest.txt ratio.txt text.txt
stale="$(cat date.txt path.txt largest.txt ratio.txt | tr '\n' ' ')"
fresh="$(cat text.txt)"
call
grep -q "Nothing to be done" log
configure 2025-06-30 release_2 36 chemotherapy "no treatment"
call
beside="$(cat ratio.txt)"
echo "a swap with another value beside it: $beside"
if [ "$stale" = "2024-06-30 release_1 24 immunotherapy over chemotherapy " ] && [ "$fresh" = 2025-06-30 ] && [ "$beside" = "chemotherapy over no treatment" ]; then
  exit 0
fi
echo "changed: a new date, path or number, or a swap, runs the rule again"
exit 1
