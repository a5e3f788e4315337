#!/usr/bin/env bash
# snakemake 9.27.1, called with --cache: a rule with `cache: True` whose command names a wildcard
#
# Guess: the cache between workflows knows a job by what defines its result (command, parameters, inputs, software), so that another seed, fold or model,
#        a wildcard in the command, is another entry.
# Fact:  the hash is taken of the command as it stands in the rule, before `{wildcards.seed}` is filled in, of the parameters and of the inputs' digests; the
#        wildcards are not in it (`_get_provenance_hash` of the caching module). Jobs of one rule that read the same inputs are one entry: the first writes,
#        every other is given a link to that file under its own name, within the same run too. The log says "Symlinking output file", no more.
# Why:   seeds of a bootstrap, folds of a cross-validation and repeated trainings are exactly such jobs. Five repetitions agree to the last digit, which reads
#        as a stable result. With the same wildcard among `params` the entries differ. No rule here is cached; what a job depends on stands in `params`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile snakemake==9.27.1
export SNAKEMAKE_OUTPUT_CACHE="$folder/cache" XDG_CACHE_HOME="$folder/home"
mkdir -p cache home
echo "patient,response" > cohort.csv
cat > Snakefile <<'RULES'
rule all:
    input:
        expand("{kind}.seed{seed}.txt", kind=["command", "parameter"], seed=[1, 2]),

rule in_the_command:
    input:
        "cohort.csv",
    output:
        "command.seed{seed}.txt",
    cache: True
    shell:
        "echo trained with seed {wildcards.seed} > {output}"

rule among_the_parameters:
    input:
        "cohort.csv",
    output:
        "parameter.seed{seed}.txt",
    params:
        seed="{seed}",
    cache: True
    shell:
        "echo trained with seed {params.seed} > {output}"
RULES
PATH="$folder/venv/bin:$PATH" venv/bin/snakemake --cores 1 --cache > log 2>&1 || { cat log; exit 1; }
told() { cat "$1.seed1.txt" "$1.seed2.txt" | sort -u | wc -l; }
echo "different results of two seeds: among the parameters $(told parameter); in the command guess 2, fact $(told command) (seed 1 is '$(cat command.seed1.txt)', seed 2 is '$(cat command.seed2.txt)')"
if [ "$(told parameter)" = 2 ] && [ "$(told command)" = 1 ]; then
  exit 0
fi
echo "changed: the cache tells wildcards in a command apart"
exit 1
