"""Makes aio/kernel/prototypes.py of libc.h: `python -m tests.aio.prototypes`.

So cffi's parser of C, which takes longer to import than all of aio, is nothing that a server needs.
"""

import tempfile
from pathlib import Path

from cffi import FFI

import aio.kernel

_KERNEL = Path(aio.kernel.__file__).parent
PROTOTYPES = _KERNEL / "prototypes.py"
_HEAD = '''"""libc.h as cffi reads it; made by `python -m tests.aio.prototypes`."""

# ruff: noqa: E501
# fmt: off
'''


def made() -> str:
    """What PROTOTYPES has to be."""
    ffi = FFI()
    ffi.cdef((_KERNEL / "libc.h").read_text())
    ffi.set_source("aio.kernel.prototypes", None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prototypes.py"
        ffi.emit_python_code(str(path))
        return _HEAD + path.read_text().removeprefix("# auto-generated file\n")


if __name__ == "__main__":
    PROTOTYPES.write_text(made())
