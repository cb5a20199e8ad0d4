"""Data stays what it is, whoever reads and writes it at once.  Long form: tests.aio.long."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.aio.engines import Form
from tests.aio.integrity import play

_DIRECT = {"direct": 1}
CASTS: Mapping[str, Sequence[Form]] = {
    "libaio direct": [Form("libaio", _DIRECT)],
    "uring direct": [Form("uring", _DIRECT)],
    "all buffered": [
        Form("sync"),
        Form("threads"),
        Form("libaio"),
        Form("uring"),
        Form("nowait+uring"),
    ],
    "direct beside buffered": [Form("libaio", _DIRECT), Form("uring"), Form("nowait")],
    "direct beside direct": [Form("libaio", _DIRECT), Form("uring", _DIRECT)],
}


@pytest.mark.parametrize("cast", CASTS)
async def test_a_file_is_what_was_written_to_it(cast: str, place: Path) -> None:
    await play(place / "file", CASTS[cast], 300, seed=1)
