"""What a test's server does not import: each of these takes as long as a test does, or longer."""

import subprocess
import sys

# Parsers, what only a command line or few servers need.
HEAVY = [
    *("argparse", "asyncio", "difflib", "email", "html", "http", "multiprocessing", "tomllib"),
    *("unittest", "uuid", "xml"),
    *("matplotlib", "zeroconf"),
    *("aio.compare", "aio.libaio", "aio.uring", "smbd.cli", "smbd.compare", "smbd.discovery"),
    *("smbd.journal", "smbd.load", "smbd.rpc", "smbd.server.discoverable"),
]

SERVER = """
import smbd.testing
imported()
with smbd.testing.serve_in_thread(users={"ann": "secret"}):
    imported()
"""


def imported_by(code: str) -> list[list[str]]:
    """The modules that a new Python has, at each call of `imported()` in the code."""
    begin = "import sys\n\ndef imported():\n    print(*sys.modules)\n\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + code], stdout=subprocess.PIPE, text=True, check=True
    )
    return [line.split() for line in done.stdout.splitlines()]


def test_a_tests_server_imports_nothing_heavy_that_it_does_not_need():
    for modules in imported_by(SERVER):
        assert "smbd.server" in modules
        assert not set(HEAVY) & set(modules)


def test_the_plugin_imports_nothing_of_smbd_where_no_test_wants_a_server():
    (modules,) = imported_by("import smbd.pytest_plugin\nimported()")
    ours = {name for name in modules if name.partition(".")[0] in {"smbd", "aio"}}
    assert ours == {"smbd", "smbd.pytest_plugin"}
    (alone,) = imported_by("import pytest\nimported()")
    assert set(modules) - set(alone) == ours
