#!/usr/bin/env bash
# snakemake 9.27.1: a Python set in params
#
# Guess: a rule whose parameters are equal to those of the last run has nothing to be done.
# Fact:  a set is recorded by its text, and the order of that text follows the hash seed of the process. Strings of the same set come in another order
#        in the next process, so "Params have changed since last execution" and the rule runs again, and all that follows it, in (nearly) every call.
#        A sorted list of the same values stays done.
# Why:   sets are what drugs of a class, genes of a panel or patients of a fold are, and the rule that takes them may be a GPU day of training. With two or three
#        elements the order comes out the same by chance, so that the workflow looks stable while it is tried.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile snakemake==9.27.1
cat > Snakefile <<'RULES'
DRUGS = {"carboplatin", "pemetrexed", "pembrolizumab", "docetaxel", "osimertinib", "alectinib", "sotorasib", "bevacizumab"}

rule all:
    input: "set.txt", "list.txt"

rule of_a_set:
    output: "set.txt"
    params: drugs=DRUGS
    shell: "touch {output}"

rule of_a_list:
    output: "list.txt"
    params: drugs=sorted(DRUGS)
    shell: "touch {output}"
RULES
unset PYTHONHASHSEED
venv/bin/snakemake --cores 1 --quiet all > first.txt 2>&1
again=0
for call in 1 2 3; do
    venv/bin/snakemake --cores 1 > "call$call.txt" 2>&1
    if grep -q "Params have changed" "call$call.txt"; then again=$((again + 1)); fi
    if grep -q "rule of_a_list:" "call$call.txt"; then echo "changed: the sorted list ran again as well"; exit 1; fi
done
echo "three more calls with equal parameters: the rule with a sorted list ran 0 times again"
echo "the rule with a set: guess 0 times, fact $again times"
if [ "$again" -eq 0 ]; then echo "changed: sets are compared by value"; exit 1; fi
export PYTHONHASHSEED=0
venv/bin/snakemake --cores 1 > fixed1.txt 2>&1
venv/bin/snakemake --cores 1 > fixed2.txt 2>&1
if ! grep -q "Nothing to be done" fixed2.txt; then echo "changed: it runs again with a fixed hash seed as well"; exit 1; fi
echo "with PYTHONHASHSEED=0 in both calls: nothing to be done"
