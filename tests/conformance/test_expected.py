"""The list of what smbtorture's cases are expected to do, and the verdicts by it."""

from pathlib import Path

import pytest

from .torture.expected import Case, Outcome, Result, adopted, load, problem, save, score

BROKEN = Case("smb2.dir.many", "fail", "pass", "not built yet")
WORKING = Case("smb2.dir.one", "pass", "fail", "")


def result(outcome: Outcome, detail: str = "") -> Result:
    return Result(outcome, detail, seconds=0.1)


@pytest.mark.parametrize(
    ("test", "suite"),
    [
        ("smb2.connect", "smb2.connect"),
        ("smb2.ioctl.copy-chunk streams", "smb2.ioctl"),
        ("rpc.srvsvc.srvsvc (admin access).NetRemoteTOD", "rpc.srvsvc"),
        ("libsmbclient.rename", "libsmbclient"),
    ],
)
def test_a_case_belongs_to_the_suite_that_its_name_begins_with(test: str, suite: str) -> None:
    assert Case(test, "pass", "pass", "").suite == suite


def test_what_is_expected_is_no_problem() -> None:
    assert problem(WORKING, result("pass")) is None
    assert problem(BROKEN, result("fail")) is None


def test_a_case_that_gets_worse_is_a_problem_with_its_reason() -> None:
    assert problem(WORKING, result("fail", "dir.c:471: wrong")) == (
        "fail, expected pass: dir.c:471: wrong"
    )


def test_a_case_that_passes_unexpectedly_asks_to_be_taken_off_the_list() -> None:
    said = problem(BROKEN, result("pass"))

    assert said == "unexpected pass (expected fail: not built yet): shrink the list"


def test_adopting_a_pass_drops_the_reason_and_adopting_a_new_miss_asks_for_one() -> None:
    assert adopted(BROKEN, result("pass")) == Case("smb2.dir.many", "pass", "pass", "")
    assert adopted(BROKEN, result("fail")) == BROKEN
    assert adopted(WORKING, result("skip")).reason == "?"


def test_a_list_that_was_written_reads_the_same(tmp_path: Path) -> None:
    cases = {case.test: case for case in (BROKEN, WORKING)}

    save(cases, tmp_path / "list.tsv")

    assert load(tmp_path / "list.tsv") == cases


def test_the_score_is_of_what_samba_passes() -> None:
    cases = {case.test: case for case in (BROKEN, WORKING)}

    lines = score(cases, {BROKEN.test: result("pass"), WORKING.test: result("pass")}).splitlines()

    assert lines[1].split() == ["smb2.dir", "2", "0", "0", "1/1", "100", "%"]
