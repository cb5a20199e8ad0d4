"""aio/kernel/prototypes.py is what cffi makes of libc.h today."""

from .prototypes import PROTOTYPES, made


def test_the_prototypes_are_those_of_the_header():
    assert PROTOTYPES.read_text() == made(), "python -m tests.aio.prototypes"
