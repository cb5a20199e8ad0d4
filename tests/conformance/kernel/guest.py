"""The guest: Debian's User Mode Linux, fetched once, run as a process, and its link to a server.

Its root is this machine's root, read-only under a throw-away layer, so that what it runs is simply
what lies here. The one address that it reaches is 10.0.2.100, whose ports are carried to ports of
this machine's loopback: 445 to the server's.
"""

import ctypes
import fcntl
import hashlib
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TextIO

PACKAGE = "user-mode-linux"
ADDRESS = "10.0.2.100"
MEMORY = "1024M"
DID_NOT_BOOT, TIMED_OUT = 125, 124

_BUSYBOX = Path("/bin/busybox")  # static: package busybox-static
_TUN = Path("/dev/net/tun")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smbd" / PACKAGE
_INIT = Path(__file__).with_name("init.sh")
_XSTATE = Path(__file__).with_name("xstate.c")  # which says what it is for

_PT_INTERP = 3
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_TAP_WITHOUT_HEADER = 0x1002
_UP_AND_RUNNING = 0x41


class NoGuestError(Exception):
    """The guest cannot run on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a guest ended: its job's status, the job's output, and what the kernel said."""

    status: int
    output: str
    kernel_log: str


def why_not() -> str | None:
    """Return what this machine lacks to run the guest, or None."""
    if os.geteuid():
        return "the guest's network link needs root"
    if not _TUN.exists():
        return "there is no /dev/net/tun"
    if not _BUSYBOX.exists() or not _is_static(_BUSYBOX):
        return "there is no static /bin/busybox: package busybox-static"
    try:
        fetch()
        _preloaded()
    except NoGuestError as error:
        return str(error)
    return None


def _preloaded() -> str:
    """Return the library that the guest needs on this processor, built at its first use, or ""."""
    if "amx_tile" not in Path("/proc/cpuinfo").read_text().split():
        return ""
    library = fetch() / f"xstate-{hashlib.sha256(_XSTATE.read_bytes()).hexdigest()[:16]}.so"
    if not library.exists():
        built = library.with_suffix(f".{os.getpid()}")
        try:
            subprocess.run(
                ["cc", "-shared", "-fPIC", "-O2", "-o", built, _XSTATE],
                capture_output=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoGuestError(f"this processor has AMX, and for that: {error}") from None
        built.rename(library)
    return str(library)


def _is_static(program: Path) -> bool:
    """Tell whether a 64-bit ELF program runs without an interpreter (ld.so): no PT_INTERP."""
    image = program.read_bytes()
    (headers,) = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    kinds = (struct.unpack_from("<I", image, headers + n * size)[0] for n in range(count))
    return _PT_INTERP not in kinds


def fetch() -> Path:
    """Return the folder with the kernel and its modules; the first call downloads the package."""
    if (_CACHE / "ready").exists():
        return _CACHE
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE.parent / "lock").open("w") as lock, tempfile.TemporaryDirectory() as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs may start at once
        if (_CACHE / "ready").exists():
            return _CACHE
        download = ["apt-get", "--quiet", "--option=APT::Sandbox::User=root", "download", PACKAGE]
        try:
            got = subprocess.run(download, cwd=folder, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise NoGuestError("this is no Debian: there is no apt-get") from None
        archives = list(Path(folder).glob("*.deb"))
        if got.returncode or not archives:
            why = (got.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise NoGuestError(f"apt-get download {PACKAGE} failed (apt-get update first?): {why}")
        subprocess.run(["dpkg", "-x", archives[0], _CACHE], check=True)
        # busybox's modprobe reads the index that its depmod makes of BASE/lib/modules/VERSION.
        (_CACHE / "lib").mkdir(exist_ok=True)
        (_CACHE / "lib/modules").symlink_to(_CACHE / "usr/lib/uml/modules")
        (tree,) = (_CACHE / "lib/modules").iterdir()
        subprocess.run([_BUSYBOX, "depmod", "-b", _CACHE, tree.name], check=True)
        (_CACHE / "ready").touch()
    return _CACHE


def _archive(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """Return an initramfs ("newc" cpio) of {path: (mode, content)}."""
    out = bytearray()
    entries = [*files.items(), ("TRAILER!!!", (0, b""))]
    for inode, (name, (mode, content)) in enumerate(entries, 1):
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def _initramfs(environment: Mapping[str, str]) -> bytes:
    exports = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
    folder, link, program, text = 0o40755, 0o120777, 0o100755, 0o100644
    return _archive(
        {
            "bin": (folder, b""),
            "sbin": (folder, b""),
            "bin/busybox": (program, _BUSYBOX.read_bytes()),
            "sbin/modprobe": (link, b"/bin/busybox"),  # the kernel calls it for crypto modules
            "init": (program, _INIT.read_bytes()),
            "guest.env": (text, "".join(exports).encode()),
        }
    )


def _link(ports: Iterable[int]) -> list[socket.socket]:
    """Give this thread a network of its own: a tap device, and on it sockets at ADDRESS's ports.

    A network namespace is a thread's, and a process started by the thread inherits it; the sockets
    stay in it, though any thread may accept from them.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        code = ctypes.get_errno()
        raise NoGuestError(f"no network namespace: {os.strerror(code)}")

    def set_tap(on: int, request: int, value: bytes) -> None:
        fcntl.ioctl(on, request, struct.pack("16s24s", b"tap0", value))

    def address(text: str) -> bytes:
        return struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(text))

    with _TUN.open("r+b", buffering=0) as tun:
        set_tap(tun.fileno(), _TUNSETIFF, struct.pack("=H", _TAP_WITHOUT_HEADER))
        fcntl.ioctl(tun, _TUNSETPERSIST, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        set_tap(control.fileno(), _SIOCSIFADDR, address(ADDRESS))
        set_tap(control.fileno(), _SIOCSIFNETMASK, address("255.255.255.0"))
        set_tap(control.fileno(), _SIOCSIFFLAGS, struct.pack("=H", _UP_AND_RUNNING))
    return [socket.create_server((ADDRESS, port)) for port in ports]


def _pump(source: socket.socket, sink: socket.socket) -> None:
    buffer = bytearray(1 << 18)
    with suppress(OSError):
        while count := source.recv_into(buffer):
            sink.sendall(memoryview(buffer)[:count])
    for end in (source, sink):  # one way closed: the other must not linger
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _carry(guest: socket.socket, port: int) -> None:
    """Carry one connection of the guest's to the server."""
    with guest, socket.create_connection(("127.0.0.1", port)) as server:
        for end in (guest, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other = threading.Thread(target=_pump, args=(server, guest), daemon=True)
        other.start()
        _pump(guest, server)
        other.join()


def _relay(listener: socket.socket, port: int) -> None:
    with suppress(OSError):  # the listener is closed when the guest has ended
        while True:
            guest, _ = listener.accept()
            threading.Thread(target=_carry, args=(guest, port), daemon=True).start()


def _boot(
    kernel: Path, initramfs: Path, folder: Path, output: int, ports: Iterable[int]
) -> "_Guest":
    """Start the guest, in a network namespace with its link; its job writes to `output`."""
    command = [
        str(kernel),
        f"mem={MEMORY}",
        f"initrd={initramfs}",
        f"uml_dir={folder}",
        *("panic=-1", "quiet", "con=null", "con0=null,fd:1", "ssl=null"),
        f"ssl0=null,fd:{output}",
        "vec0:transport=tap,ifname=tap0,depth=64,gro=1",
    ]
    started: Queue[_Guest | Exception] = Queue()

    def start() -> None:
        try:
            listeners = _link(ports)
            with (folder / "kernel.log").open("wb") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[output],
                    start_new_session=True,
                    # Its memory is a file in /dev/shm.
                    env={**os.environ, "TMPDIR": "/dev/shm", "LD_PRELOAD": _preloaded()},
                )
            started.put(_Guest(process, listeners))
        except (NoGuestError, OSError) as error:
            started.put(error)

    # A thread to be thrown away: it leaves this machine's network for one with the link.
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    guest = started.get()
    if isinstance(guest, Exception):
        raise NoGuestError(f"the guest did not start: {guest}")
    return guest


@dataclass(frozen=True, slots=True)
class _Guest:
    """A running guest: its process, and the sockets at which its kernel finds the servers."""

    process: "subprocess.Popen[bytes]"
    listeners: list[socket.socket]

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # User Mode Linux is many processes

    def close(self) -> None:
        self.kill()
        self.process.wait()
        for listener in self.listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the relay
            listener.close()


def run(
    job: str,
    ports: Mapping[int, int],
    environment: Mapping[str, str],
    limit: float,
    say: Callable[[str], None],
) -> Ended:
    """Boot a guest, run a shell command in it as root, and return how that ended.

    It has the environment given, and `ports`, {port at ADDRESS: port on 127.0.0.1}, for at
    most `limit` seconds. `say` gets each line that the job writes, as it comes.
    """
    home = fetch()
    with tempfile.TemporaryDirectory(prefix="smbd-guest-") as name:
        folder = Path(name)
        variables = {"MODULES": str(home / "usr/lib/uml/modules"), "JOB": job, "HOME": "/root"}
        variables |= {"PATH": os.environ["PATH"], **environment}
        initramfs = folder / "initramfs"
        initramfs.write_bytes(_initramfs(variables))
        reader, writer = os.pipe()
        with os.fdopen(reader, "r", errors="replace") as output:
            try:
                guest = _boot(home / "usr/bin/linux.uml", initramfs, folder, writer, ports)
            finally:
                os.close(writer)
            lines, late = _attend(guest, output, list(ports.values()), limit, say)
        log = (folder / "kernel.log").read_text(errors="replace").replace("\r", "")
    said = re.findall(r"GUEST-STATUS (\d+)", log)
    status = int(said[-1]) if said else TIMED_OUT if late else DID_NOT_BOOT
    return Ended(status, "".join(lines), log)


def _attend(
    guest: _Guest, output: TextIO, ports: list[int], limit: float, say: Callable[[str], None]
) -> tuple[list[str], bool]:
    """Read what the guest's job writes until it has ended; tell whether it was out of time."""
    for relayed in zip(guest.listeners, ports, strict=True):
        threading.Thread(target=_relay, args=relayed, daemon=True).start()
    timer = threading.Timer(limit, guest.kill)
    timer.start()
    lines: list[str] = []
    try:
        for line in output:
            lines.append(line)
            say(line.rstrip("\n"))
    finally:
        late = not timer.is_alive()
        timer.cancel()
        timer.join()
        guest.close()
    return lines, late
