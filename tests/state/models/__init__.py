"""What smbd.state does, each time beside a model of it: as plain as the specification's words.

A model scans a list from its beginning to its end.  After each step of a random story both must say
the same.
"""

from .caching import CachingMachine
from .changes import ChangesMachine
from .deadlines import DeadlinesMachine
from .files import FilesMachine
from .locks import LocksMachine
from .notify import NotifyMachine
from .opens import OpensMachine
from .replays import ReplaysMachine
from .requests import RequestsMachine

MACHINES = {
    "caching": CachingMachine,
    "changes": ChangesMachine,
    "deadlines": DeadlinesMachine,
    "files": FilesMachine,
    "locks": LocksMachine,
    "notify": NotifyMachine,
    "opens": OpensMachine,
    "replays": ReplaysMachine,
    "requests": RequestsMachine,
}
