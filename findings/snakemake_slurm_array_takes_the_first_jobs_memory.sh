# snakemake 9.27.1 with snakemake-executor-plugin-slurm 2.8.0: rules whose memory and time depend on wildcards, submitted as job arrays
#
# Guess: --slurm-array-jobs=train submits the same jobs with fewer calls; each task has the memory and wall time that its job states, as without it.
# Fact:  one sbatch call is made of whichever job comes first, and all its tasks get that job's memory, wall time, GPUs and partition. The log goes on printing the
#        resources of every job as stated. Twenty small models behind one large one reserve sixteen times their memory for two days each; the large one
#        behind a small one is killed after half an hour, and every retry, once more alone, is right, so that it looks like a bad node.
# Why:   one rule trains models of 0.6 to 70 billion parameters here, and its memory is a function of the model's name, as Snakemake's manual shows it. Arrays
#        are what a cluster's administrators ask for once somebody submits hundreds of folds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile snakemake==9.27.1 snakemake-executor-plugin-slurm==2.8.0 snakemake-executor-plugin-slurm-jobstep==0.6.1
cat > Snakefile <<'RULES'
MEMORY = {"small": 4000, "large": 64000}
MINUTES = {"small": 30, "large": 2880}

rule all:
    input: expand("{model}.adapter", model=config["order"].split("-"))

rule train:
    output: "{model}.adapter"
    resources:
        mem_mb=lambda wildcards: MEMORY[wildcards.model],
        runtime=lambda wildcards: MINUTES[wildcards.model],
    shell: "touch {output}"
RULES
# Stand-ins for a cluster's commands: sbatch notes what it is asked for and takes no job, so that each call below ends with an error, as it should.
mkdir bin
cat > bin/sbatch <<'STAND_IN'
#!/bin/sh
echo "$@" | grep -oE -- "--mem [0-9]+|-t [0-9]+|--array=[0-9-]+" | tr '\n' ' ' >> calls.txt
echo >> calls.txt
exit 1
STAND_IN
printf '#!/bin/sh\necho "MaxArraySize = 1001"\n' > bin/scontrol
for name in sshare sacctmgr; do printf '#!/bin/sh\necho a\n' > "bin/$name"; done
for name in sacct squeue sinfo scancel; do printf '#!/bin/sh\nexit 0\n' > "bin/$name"; done
chmod +x bin/*
submit() {
    : > calls.txt
    PATH="$PWD/bin:$PATH" venv/bin/snakemake --executor slurm --jobs 10 --default-resources slurm_account=a slurm_partition=p \
        --slurm-init-seconds-before-status-checks 1 --seconds-between-status-checks 1 "$@" > log.txt 2>&1 && { echo "changed: sbatch was not asked"; exit 1; }
    cat calls.txt
}
echo "one by one:"
submit --config order=small-large
if [ "$(wc -l < calls.txt)" -ne 2 ]; then echo "changed: not one call a job"; exit 1; fi
for order in small-large large-small; do
    echo "as an array, $order:"
    submit --config order=$order --slurm-array-jobs=train
    if ! grep -q "mem_mb=4000," log.txt || ! grep -q "mem_mb=64000," log.txt; then echo "changed: the log no longer states both"; exit 1; fi
    if [ "$(wc -l < calls.txt)" -ne 1 ]; then echo "changed: jobs of unequal resources are no longer put into one array"; exit 1; fi
done
echo "guess: 4,000 MB and 30 minutes for one task, 64,000 MB and 2,880 minutes for the other; fact: one value for both, with both in the log"
