"""Nothing is left of what was done.  Long form: tests.aio.long."""

from pathlib import Path

from tests.aio.endurance import Left, endure, open_and_close
from tests.aio.engines import Form


def check(left: Left, operations: int) -> None:
    assert left.descriptors == 0
    assert left.blocks < 500 + operations / 50
    assert left.resident < (8 << 20) + operations * 20


OPERATIONS = 1500  # of each of ten engines


async def test_operations_leave_nothing(form: Form, tmp_path: Path) -> None:
    check(await endure(form, tmp_path, OPERATIONS), OPERATIONS)


async def test_engines_leave_nothing(form: Form) -> None:
    await open_and_close(form, 1)
    check(await open_and_close(form, 4), 4)
