#!/usr/bin/env bash
# snakemake 9.27.1: input.size_mb where an input is a folder
#
# Guess: memory asked for by the size of the input, as the manual shows it (lambda wildcards, input: 3 * input.size_mb), follows what the job will read, whether
#        the rule before it declares its tables as files or as one directory() output.
# Fact:  a folder counts as what its own entry takes on the disk, about 4 KB, whatever it holds. The same 60 MB are 57.2 as a file and 0.004 as a directory(), so
#        that the job asks for the least it may: its own function, and the engine's default of max(2 * input.size_mb, 1000) with --default-resources, alike. Nothing
#        is said. A mix is worse to see: files are counted, the folder beside them is not. By the same size, ensure(directory(...), non_empty=True) takes an
#        empty folder for full, where an empty file fails its rule.
# Why:   Parquet data sets, Zarr stores, model folders and a study in cBioPortal's format are folders, and the jobs that read them are the large ones. A demo
#        fits into the least; the cohort of 100,000 patients is killed on the cluster, and `attempt` multiplies next to nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile snakemake==9.27.1
cat > Snakefile <<'RULES'
def memory(wildcards, input):
    return max(10, int(3 * input.size_mb))

rule all:
    input: "file.txt", "folder.txt", "both.txt"

rule tables_as_a_file:
    output: "tables.bin"
    shell: "head -c 60000000 /dev/zero > {output}"

rule tables_as_a_folder:
    output: directory("tables")
    shell: "mkdir {output} && for part in 1 2 3; do head -c 20000000 /dev/zero > {output}/part-$part.bin; done"

rule read_file:
    input: "tables.bin"
    output: "file.txt"
    resources: mem_mb=memory
    shell: "echo {resources.mem_mb} > {output}"

rule read_folder:
    input: "tables"
    output: "folder.txt"
    resources: mem_mb=memory
    shell: "echo {resources.mem_mb} > {output}"

rule read_both:
    input: "tables.bin", "tables"
    output: "both.txt"
    resources: mem_mb=memory
    shell: "echo {resources.mem_mb} > {output}"
RULES
cat > Ensured <<'RULES'
rule file:
    output: ensure("made.bin", non_empty=True)
    shell: "touch {output}"

rule folder:
    output: ensure(directory("made"), non_empty=True)
    shell: "mkdir -p {output}"
RULES
venv/bin/snakemake --cores 1 --quiet all > log.txt 2>&1 || { cat log.txt; exit 1; }
echo "mem_mb = max(10, 3 * input.size_mb); the input holds 57.2 MB each time"
echo "declared as a file:          $(cat file.txt) MB"
echo "declared as a directory():   guess $(cat file.txt) MB, fact $(cat folder.txt) MB"
echo "one of each (114 MB):        guess $((2 * $(cat file.txt))) MB, fact $(cat both.txt) MB"
[ "$(cat file.txt)" -eq 171 ] || { echo "changed: a file is counted in another way"; exit 1; }
[ "$(cat folder.txt)" -eq 10 ] || { echo "changed: a folder counts as more than its entry"; exit 1; }
[ "$(cat both.txt)" -eq 171 ] || { echo "changed: the folder beside a file is counted"; exit 1; }
if venv/bin/snakemake --snakefile Ensured --cores 1 --quiet all -- made.bin > log.txt 2>&1; then echo "changed: an empty file is taken for full"; exit 1; fi
venv/bin/snakemake --snakefile Ensured --cores 1 --quiet all -- made > log.txt 2>&1 || { echo "changed: an empty folder is refused"; exit 1; }
echo "ensure(non_empty=True): an empty file fails its rule, an empty folder passes"
