"""The genomic tables: panels, mutations (MAF), copy number (matrix and segments), structural variants.

A value is known once its specimen is: at the specimen's day in timeline_specimen (sequenced) or
timeline_specimen_surgery (acquired).
"""

from __future__ import annotations

from oncoraft.knowledge.clinical_tables import PANELS
from oncoraft.knowledge.protein_changes import SETTLED, protein_change
from oncoraft.knowledge.table_specification import LONGEST_ALLELE, Column, Table, column, sample

# The usual order of a cBioPortal MAF; the released header's order is not established, so it is read by name.
MUTATION_TEXT = [
    "Center",
    "NCBI_Build",
    "Chromosome",
    "Strand",
    "Consequence",
    "Variant_Classification",
    "Variant_Type",
    "Reference_Allele",
    "Tumor_Seq_Allele1",
    "Tumor_Seq_Allele2",
    "dbSNP_RS",
    "dbSNP_Val_Status",
    "Matched_Norm_Sample_Barcode",
    "Match_Norm_Seq_Allele1",
    "Match_Norm_Seq_Allele2",
    "Tumor_Validation_Allele1",
    "Tumor_Validation_Allele2",
    "Match_Norm_Validation_Allele1",
    "Match_Norm_Validation_Allele2",
    "Verification_Status",
    "Validation_Status",
    "Mutation_Status",
    "Sequencing_Phase",
    "Sequence_Source",
    "Validation_Method",
    "Score",
    "BAM_File",
    "Sequencer",
    "HGVSc",
    "HGVSp",
    "Transcript_ID",
    "RefSeq",
    "Protein_position",
    "Codons",
    "Exon_Number",
]
MUTATION_COUNTS = ("t_ref_count", "t_alt_count", "n_ref_count", "n_alt_count")
NEEDED = {"Variant_Classification"}
# A dash is the empty allele of an insertion or a deletion, and the reverse strand (the MAF specification of the GDC).
DASH_IS_A_VALUE = {"Strand", *(name for name in MUTATION_TEXT if "_Allele" in name)}
CHANGE_NOTE = "in its one normal form: p.(Gly12Cys) and p.G12C are G12C; NA, ? and the like are missing"

SV_TEXT = [
    "SV_Status",
    "Site1_Hugo_Symbol",
    "Site2_Hugo_Symbol",
    "Site1_Chromosome",
    "Site2_Chromosome",
    "Site1_Position",
    "Site2_Position",
    "Site1_Description",
    "Site2_Description",
    "Site2_Effect_On_Frame",
    "NCBI_Build",
    "Class",
    "Tumor_Split_Read_Count",
    "Tumor_Paired_End_Read_Count",
    "Event_Info",
    "Breakpoint_Type",
    "Connection_Type",
    "Annotation",
    "DNA_Support",
    "RNA_Support",
    "SV_Length",
    "Normal_Read_Count",
    "Tumor_Read_Count",
    "Normal_Variant_Count",
    "Tumor_Variant_Count",
    "Comments",
]
SV_INTEGERS = {
    "Site1_Position",
    "Site2_Position",
    "Tumor_Split_Read_Count",
    "Tumor_Paired_End_Read_Count",
    "SV_Length",
    "Normal_Read_Count",
    "Tumor_Read_Count",
    "Normal_Variant_Count",
    "Tumor_Variant_Count",
}


def _of_variant(name: str) -> Column:
    if name in SV_INTEGERS:
        return column(name, "integer", required=False)
    return column(name, required=False, longest=LONGEST_ALLELE, no_date=name.endswith("Hugo_Symbol"))


def _maf_text(names: list[str]) -> tuple[Column, ...]:
    """Text columns of the MAF; of two that the evidence reads the header must be there."""
    dash = {name: ("-",) if name in DASH_IS_A_VALUE else () for name in names}
    return tuple(column(name, required=name in NEEDED, literal=dash[name], longest=LONGEST_ALLELE) for name in names)


MUTATION_COLUMNS = (
    column("Hugo_Symbol", nullable=False, no_date=True),
    column("Entrez_Gene_Id", "integer", required=False),
    *_maf_text(MUTATION_TEXT[:3]),
    column("Start_Position", "integer", required=False, unit="base", minimum=0),
    column("End_Position", "integer", required=False, unit="base", minimum=0),
    *_maf_text(MUTATION_TEXT[3:12]),
    sample("Tumor_Sample_Barcode"),
    *_maf_text(MUTATION_TEXT[12:28]),
    *(column(source, "integer", required=False, unit="reads", minimum=0) for source in MUTATION_COUNTS),
    *_maf_text(MUTATION_TEXT[28:30]),
    column("HGVSp_Short", longest=LONGEST_ALLELE, normal=protein_change, settled=SETTLED, note=CHANGE_NOTE),
    *_maf_text(MUTATION_TEXT[30:]),
)

CNA_CALLS = ("-2", "-1.5", "-1", "0", "1", "2")
# log2 ratio from which a copy-number change is called (2: amplification, -2: deep deletion), either way: a fold change of two, the
# published threshold of MSK-IMPACT (Cheng et al., J Mol Diagn 2015). Gains and losses below it are not called.
CNA_CALLED_FROM_LOG2 = 1.0

# The matrix heads a column with its profile's stable id: those of discrete copy number are four.
PANEL_PROFILES = {"mutations": (), "cna": ("gistic", "cna_rae", "cna_consensus"), "structural_variants": ("sv", "fusion")}

# The same table where the portal's DISCRETE_LONG lists it: a call a row. No call is a measurement that failed.
CNA_LONG = Table(
    "cna",
    "data_cna.txt",
    (
        sample("Sample_Id"),
        column("Hugo_Symbol", name="gene", nullable=False, no_date=True),
        column("Value", "number", name="call", vocabulary=CNA_CALLS, closed=True),
    ),
    key=("sample_id", "gene"),
)

GENOMIC_TABLES = (
    Table(
        "mutations",
        "data_mutations.txt",
        MUTATION_COLUMNS,
        note="MAF; specimens without a mutation are absent",
        without="nothing is said of mutations",
    ),
    Table(
        "cna",
        "data_cna.txt",
        (
            sample("SAMPLE_ID", note="a column's header in the source"),
            column("Hugo_Symbol", name="gene", nullable=False, no_date=True),
            column(
                "call",
                "number",
                nullable=False,
                vocabulary=CNA_CALLS,
                closed=True,
                note="-2 deep deletion, -1.5 and -1 loss, 1 gain, 2 amplification; 0 is not written, NA means not measured",
            ),
        ),
        layout="gene_by_sample",
        note="genes by specimens, stored long without its zeros; zero also stands for genes off the specimen's panel",
        without="nothing is said of copy number",
    ),
    Table(
        "cna_segments",
        "data_cna_hg19.seg",
        (
            sample("ID"),
            column("chrom"),
            column("loc.start", "integer", unit="base", minimum=0),
            column("loc.end", "integer", unit="base", minimum=0),
            column("num.mark", "integer", required=False, unit="probes", minimum=0),
            column("seg.mean", "number", unit="log2 ratio"),
        ),
        without="nothing; no later step reads it",
    ),
    Table(
        "sv",
        "data_sv.txt",
        (sample("Sample_Id"), *(_of_variant(name) for name in SV_TEXT)),
        any_of=("Site1_Hugo_Symbol", "Site2_Hugo_Symbol"),
        note="fusions occur in both orders of the partners; Comments was dropped in 2026-04",
        without="nothing is said of fusions",
    ),
    Table(
        "gene_panel_matrix",
        "data_gene_panel_matrix.txt",
        (
            sample(),
            *(column(name, required=False, vocabulary=PANELS, other_headers=others) for name, others in PANEL_PROFILES.items()),
        ),
        key=("sample_id",),
        note="which panel each specimen was sequenced with",
        without="which genes were profiled is not known",
    ),
)

CNA_COVERAGE = Table(
    "cna_coverage",
    "data_cna.txt",
    (
        Column("", "gene", "text", nullable=False),
        Column("", "panel", "text", nullable=False, vocabulary=PANELS),
        Column("", "is_covered", "boolean", nullable=False, note="any specimen on that panel has a call that is not NA"),
    ),
    layout="derived",
    note="made from the copy-number matrix and gene_panel_matrix; empty without either",
)

PROFILED = Table(
    "profiled",
    "data_gene_panel_matrix.txt",
    (
        Column("", "sample_id", "text", nullable=False),
        Column("", "mutations", "boolean", nullable=False, note="every source that speaks of the specimen says so"),
        Column("", "copy_number", "boolean", nullable=False),
        Column("", "structural_variants", "boolean", nullable=False),
    ),
    layout="derived",
    key=("sample_id",),
    note=(
        "for what each specimen was profiled, from the panel matrix, the portal's case lists (`_sequenced`, `_cna`, `_sv`) and what could "
        "be read of the tables; only there may an alteration be called absent"
    ),
)
