# The same workflow as workflow/Snakefile, for those who call `snakemake` in the repository's root.
include: "workflow/Snakefile"


workflow.default_target = "all"
