"""Job arrays that would give a job the memory of another are refused; equal ones are not."""

from oncoraft.planning.arrays import unequal_arrays

TINY, LARGE = {"mem_mb": 4000, "runtime": 30, "threads": 1}, {"mem_mb": 64000, "runtime": 2880, "gpu": 1, "threads": 1}
JOBS = [("train", TINY), ("train", LARGE), ("infer", TINY), ("infer", TINY), ("ingest", LARGE)]


def test_a_rule_whose_jobs_need_different_memory_is_no_array() -> None:
    lines = unequal_arrays("train", JOBS)
    assert [line.split(" is not the same")[0].split()[-1] for line in lines] == ["mem_mb", "runtime", "gpu"]
    assert "2 jobs of rule train" in lines[0]
    assert "(4000, 64000)" in lines[0]
    assert "(1, none)" in lines[2]


def test_every_way_to_name_the_rules_is_read() -> None:
    assert unequal_arrays("infer; train", JOBS) == unequal_arrays("all", JOBS) == unequal_arrays(" train,ingest", JOBS) != []


def test_jobs_of_equal_needs_may_be_an_array_and_nothing_is_said_without_one() -> None:
    assert unequal_arrays("infer,ingest", JOBS) == []
    assert unequal_arrays(None, JOBS) == unequal_arrays("", JOBS) == []
