"""What one mostly asks, in a word each; `how` goes to `ask`: a session, `seal`, header fields."""

from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    ECHO,
    FLUSH,
    IOCTL,
    LOCK,
    OPLOCK_BREAK,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SET_INFO,
    WRITE,
)


class Verbs:
    """The response is given back, whatever it is, unless something else is said."""

    async def ask(self, command, body=messages.EMPTY, **how):
        raise NotImplementedError

    async def create(self, name, *, session=None, **wanted):
        return await self.ask(CREATE, messages.create(name, **wanted), session=session)

    async def open(self, name, *, session=None, **wanted):
        """The FileId of a CREATE that succeeds."""
        answer = await self.create(name, session=session, **wanted)
        assert answer.status == 0, hex(answer.status)
        return answer.file_id

    async def close(self, file_id, flags=0, **how):
        return await self.ask(CLOSE, messages.close(file_id, flags), **how)

    async def read(self, file_id, offset=0, length=4096, **how):
        body = messages.read(file_id, offset, length)
        return await self.ask(READ, body, **{"charge": _charge(length)} | how)

    async def write(self, file_id, data, offset=0, **how):
        body = messages.write(file_id, data, offset)
        return await self.ask(WRITE, body, **{"charge": _charge(len(data))} | how)

    async def flush(self, file_id, **how):
        return await self.ask(FLUSH, messages.flush(file_id), **how)

    async def lock(self, file_id, *elements, **how):
        """Elements: (offset, length, flags)."""
        return await self.ask(LOCK, messages.lock(file_id, *elements), **how)

    async def query_info(self, file_id, info_class, *, info_type=1, **how):
        body = messages.query_info(file_id, info_class, info_type=info_type)
        return await self.ask(QUERY_INFO, body, **how)

    async def set_info(self, file_id, info_class, data, *, info_type=1, **how):
        body = messages.set_info(file_id, info_class, data, info_type=info_type)
        return await self.ask(SET_INFO, body, **how)

    async def query_directory(self, file_id, pattern="*", **how):
        return await self.ask(QUERY_DIRECTORY, messages.query_directory(file_id, pattern), **how)

    async def ioctl(self, file_id, code, data=b"", *, length=4096, **how):
        return await self.ask(IOCTL, messages.ioctl(file_id, code, data, length=length), **how)

    async def acknowledge_oplock(self, file_id, level, **how):
        """[MS-SMB2] 2.2.24.1: of a break to this level."""
        return await self.ask(OPLOCK_BREAK, messages.oplock_break(file_id, level), **how)

    async def acknowledge_lease(self, key, state, **how):
        """[MS-SMB2] 2.2.24.2: of a break to this state."""
        return await self.ask(OPLOCK_BREAK, messages.lease_break(key, state), **how)

    async def was_told_nothing(self):
        """Whether no notification has come by now: an ECHO comes behind what was sent before."""
        assert (await self.ask(ECHO)).status == 0
        return not self.notifications

    async def works(self):
        """Write a file, read it back, delete it: nothing else that goes on here matters to it."""
        file_id = await self.open(f"still works {id(self)}", options=messages.DELETE_ON_CLOSE)
        assert (await self.write(file_id, b"still here")).status == 0
        read = await self.read(file_id)
        assert (await self.close(file_id)).status == 0
        return read.data == b"still here"


def _charge(length):
    """[MS-SMB2] 3.2.4.1.5."""
    return 1 + (max(length, 1) - 1) // 65536
