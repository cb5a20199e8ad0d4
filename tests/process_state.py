"""What all tests of a process share: one that leaves some of it changed fails, and is named.

Else a later test fails instead, in the one run whose order puts it behind the other.
"""

import gc
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pyasn1.debug  # noqa: F401 -- its import gives a logger a handler: not in the first test that logs in
from _pytest.logging import LogCaptureHandler

# What it is of, its name, and what it is.
State = Mapping[tuple[str, str], object]

_LIMITS = {name: getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
# pytest-timeout has SIGALRM, and a handler a test.
_SIGNALS = set(signal.Signals) - {signal.SIGALRM}
_NOBODYS = (logging.NullHandler, LogCaptureHandler)
_UNTOUCHED = (logging.NOTSET, [], True, False, [])
# Others' modules whose names tests replace, beside smbd's and aio's.
_REPLACED_IN = {"builtins", "os", "select", "signal", "socket", "subprocess", "time", "trio"}
# What others on this machine mount meanwhile, and what waits for the garbage collector.
_OF_THE_MACHINE = {("smbd.vfs.mounts", "_twice"), ("aio.residency.Residency", "_mapped")}


def process_state() -> State:
    """What a process has one of: read before and after each test, in some 300 us."""
    process = {
        "working folder": str(Path.cwd()),
        "umask": _umask(),
        "garbage collector": (gc.isenabled(), gc.get_threshold(), bool(gc.get_freeze_count())),
        "switch interval": sys.getswitchinterval(),
        "path of imports": list(sys.path),
        "excepthook": sys.excepthook,
        "unraisablehook": sys.unraisablehook,
        "threads' excepthook": threading.excepthook,
        "level that no log has": logging.root.manager.disable,
    }
    environment = {name: os.environ[name] for name in os.environ if name != "PYTEST_CURRENT_TEST"}
    return {
        **{("process", name): one for name, one in process.items()},
        **{("environment", name): one for name, one in environment.items()},
        **{("limit", name): resource.getrlimit(number) for name, number in _LIMITS.items()},
        **{("handler", one.name): signal.getsignal(one) for one in _SIGNALS},
        **{
            ("logger", one.name): state
            for one in _loggers()
            if (state := _logger(one)) != _UNTOUCHED
        },
    }


def bindings() -> State:
    """What the names of our modules and classes mean, and others' that tests replace: 20 ms."""
    found: dict[tuple[str, str], object] = {}
    for module, names in [(name, vars(one)) for name, one in list(sys.modules.items())]:
        ours = module.partition(".")[0] in {"smbd", "aio"}
        if ours and "." in module and not _is_python(module):  # what is C may be loaded anew
            continue
        found["module", module] = sys.modules[module]
        if not ours and module not in _REPLACED_IN:
            continue
        for name, value in list(names.items()):
            found[module, name] = value
            if ours and isinstance(value, type) and value.__module__ == module:
                found |= {(f"{module}.{name}", key): one for key, one in vars(value).items()}
    return {name: value for name, value in found.items() if name not in _OF_THE_MACHINE}


def _is_python(module: str) -> bool:
    file = getattr(sys.modules[module], "__file__", None)
    return file is not None and file.endswith(".py")


def changes(before: State, after: State) -> list[str]:
    """Say in a line each what is not as it was before."""
    return [
        f"{of} {name}: {before.get((of, name))!r:.200} became {after.get((of, name))!r:.200}"
        for of, name in sorted(before.keys() | after.keys())
        if before.get((of, name)) != after.get((of, name))
    ]


def rebound(before: State, after: State) -> list[str]:
    """Say what another object has now; what is imported or made at its first use may stay."""
    return [
        f"{of} {name}: {value!r:.200} became {after.get((of, name))!r:.200}"
        for (of, name), value in before.items()
        if value is not None and after.get((of, name)) is not value
    ]


def _umask() -> str:
    """Not by umask(), which would set it for every thread."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return status.partition("\nUmask:\t")[2].partition("\n")[0]


def _loggers() -> list[logging.Logger]:
    made = logging.root.manager.loggerDict.values()
    return [logging.root, *(one for one in list(made) if isinstance(one, logging.Logger))]


def _logger(logger: logging.Logger) -> tuple[object, ...]:
    """Its level, handlers, propagation, and whether it is switched off.

    Not the handlers that do nothing, nor those that pytest adds to who does not propagate.
    """
    handlers = [one for one in logger.handlers if not isinstance(one, _NOBODYS)]
    return (logger.level, handlers, logger.propagate, logger.disabled, list(logger.filters))
