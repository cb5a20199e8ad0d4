"""The short form of the smbtorture run: the suites of plain reading, writing and listing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import Server, ours
from .torture import expected, smbtorture

SUITES = ["connect", "read", "rw", "credits", "compound_find", "fileid", "tcon", "mkdir"]
# Makes 5,000 files by 10,000 requests before it begins: tests/server/test_directories.py tells what
# it is about, a QUERY_DIRECTORY with a CLOSE right behind it, on files that are there.
TOO_LONG = {"smb2.compound_find.compound_find_close"}
CASES = [
    case
    for case in expected.load().values()
    if case.wanted(f"smb2.{suite}" for suite in SUITES) and case.test not in TOO_LONG
]

needs_smbtorture = pytest.mark.skipif(
    not smbtorture.installed(), reason=f"smbtorture is missing: package {smbtorture.PACKAGE}"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    work: Path = tmp_path_factory.mktemp("torture")
    with ours(work) as server:
        yield server


@needs_smbtorture
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.test)
def test_smbtorture_case_does_what_the_list_says(server: Server, case: expected.Case) -> None:
    result = smbtorture.judge(server, case, limit=60)

    assert expected.problem(case, result) is None


def test_every_case_that_is_not_expected_to_pass_has_its_reason() -> None:
    unexplained = [
        case.test
        for case in expected.load().values()
        if case.expected != "pass" and case.reason in {"", expected.UNEXPLAINED}
    ]

    assert unexplained == []
