"""Every parser reads its examples, and there is no parser without one."""

import importlib
import inspect
import pkgutil
from functools import partial

import pytest

import smbd.wire

from .examples import EXAMPLES
from .examples.example import Example


def every_parser() -> set[str]:
    names = set()
    for module in pkgutil.walk_packages(smbd.wire.__path__, "smbd.wire."):
        functions = inspect.getmembers(importlib.import_module(module.name), inspect.isfunction)
        names |= {name for name, _ in functions if name.startswith("parse_")}
    return names


def test_every_parser_has_an_example() -> None:
    parsers = (
        example.parse.func if isinstance(example.parse, partial) else example.parse
        for example in EXAMPLES
    )
    assert {parser.__name__ for parser in parsers} == every_parser()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_gives_its_value(example: Example) -> None:
    assert example.parse(example.data) == example.value


def test_a_write_of_a_megabyte_is_not_copied() -> None:
    from smbd.wire.write import parse_write_request

    frame = bytearray(112 + (1 << 20))
    frame[64:72] = b"\x31\0\x70\0\0\0\x10\0"
    request = parse_write_request(memoryview(frame))
    frame[112] = 0x77
    assert request.data[0] == 0x77
    assert len(request.data) == 1 << 20


def test_of_349_000_chunks_none_is_looked_at() -> None:
    from smbd.wire.fsctl import MOST_CHUNKS, parse_copychunk

    head, chunk = b"k" * 24, bytes(24)
    for count, looked_at in ((MOST_CHUNKS, True), (MOST_CHUNKS + 1, False), (349_000, False)):
        data = head + count.to_bytes(8, "little") + chunk * count
        assert (parse_copychunk(memoryview(data)).chunks is not None) == looked_at
