"""Opens of files that are not there: state knows a file by device and inode alone."""

from dataclasses import dataclass

from smbd.memory import MemoryAccount
from smbd.state import Listeners, Open
from smbd.wire.access import Access

READ = Access.FILE_READ_DATA
WRITE = Access.FILE_WRITE_DATA
ALL_SHARED = 7


@dataclass(eq=False)
class PaperRoot:
    absolute_path: str = "/share"
    path: str = "/share"  # as configured


_ROOT = PaperRoot()


@dataclass(eq=False)
class PaperFile:
    """What state needs of a smbd.vfs.File."""

    inode: int = 1
    path: str = "a"
    device: int = 1
    root: object = _ROOT
    fd: int = 100
    closed: int = 0

    names: int = 1  # its hard links
    is_directory: bool = False
    symlink: str = ""
    crossed: bool = False
    has_data: bool = True
    created_in: tuple[int, int] | None = None
    stream: str | None = None
    memory: int = 0
    of: "PaperFile | None" = None  # the file, for a stream

    def has_moved_others(self):
        return False

    @property
    def described(self):
        return self.of or self

    @property
    def key(self):
        return self.identity if self.stream is None else (*self.identity, self.stream)

    @property
    def identity(self):
        return self.device, self.inode

    @property
    def absolute_path(self):
        return self.absolute_path_below(self.root.absolute_path)

    def absolute_path_below(self, root):
        return f"{root}/{self.path}"

    @property
    def is_symlink(self):
        return bool(self.symlink)

    @property
    def place(self):
        return self.absolute_path.rstrip("/")

    @property
    def place_of_name(self):
        return self.place

    def is_by_link_of(self, other):
        return self.absolute_path == other.absolute_path or self.names == 1

    def close(self):
        self.closed += 1


class PaperEngine:
    def __init__(self):
        self.attached = []

    def attach(self, fd):
        self.attached.append(fd)


class PaperShare:
    def __init__(self):
        self.engine = PaperEngine()
        self.opens = 0


class PaperHolder:
    """A tree connect of a session, of a connection with a memory of its own."""

    def __init__(self, *claimants, session_id=7, memory=64 << 20):
        self.claimants = claimants
        self.session_id = session_id
        self.account = MemoryAccount(memory)
        self.opened = {}
        self.teller = Listeners()

    def enter(self, opened):
        self.opened[opened.volatile_id] = opened

    def leave(self, opened):
        self.opened.pop(opened.volatile_id, None)


def an_open(
    file=None, *, access=READ, sharing=ALL_SHARED, number=1, delete_on_close=False, claimants=()
):
    return Open(
        persistent_id=number,
        volatile_id=number,
        share=PaperShare(),
        file=file or PaperFile(),
        granted_access=access,
        share_access=sharing,
        create_options=0,
        delete_on_close=delete_on_close,
        claimants=claimants,
    )
