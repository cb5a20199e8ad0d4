"""libaio's four system calls: requests go in as arrays of 64 bytes, completions come out as 32."""

from struct import Struct

from aio.kernel.libc import check, ffi, system_call

IOCB_CMD_PREAD = 0
IOCB_CMD_PWRITE = 1
IOCB_CMD_FSYNC = 2
IOCB_FLAG_RESFD = 1  # a completion adds 1 to the eventfd aio_resfd

IOCB = Struct(  # struct iocb, little-endian
    "<"
    "Q"  # aio_data: comes back in the event
    "I"  # aio_key: the kernel's own
    "i"  # aio_rw_flags: RWF_*
    "H"  # aio_lio_opcode
    "h"  # aio_reqprio
    "i"  # aio_fildes
    "Q"  # aio_buf: address
    "Q"  # aio_nbytes
    "q"  # aio_offset
    "8x"  # aio_reserved2
    "I"  # aio_flags
    "I"  # aio_resfd
)
IO_EVENT = Struct("<Q8xq8x")  # struct io_event: data, (obj), res, (res2)

_io_setup = system_call("io_setup", "unsigned int, unsigned long *")
_io_destroy = system_call("io_destroy", "unsigned long")
_io_submit = system_call("io_submit", "unsigned long, long, uintptr_t")
_io_getevents = system_call("io_getevents", "unsigned long, long, long, uintptr_t, uintptr_t")


def io_setup(depth: int) -> int:
    """A context for at least `depth` requests in flight.

    Errors: EAGAIN beyond /proc/sys/fs/aio-max-nr, ENOSYS where the kernel was built without.
    """
    context = ffi.new("unsigned long *")
    check(_io_setup(depth, context))
    return int(context[0])


def io_destroy(context: int) -> None:
    """End a context, after waiting for everything in flight."""
    check(_io_destroy(context))


def io_submit(context: int, count: int, pointers: int) -> int:
    """Submit the requests whose addresses are in the array at `pointers`; how many were taken.

    The error is the first one's, and then none was taken.  EAGAIN: no room.
    """
    return check(_io_submit(context, count, pointers))


def io_getevents(context: int, count: int, events: int) -> int:
    """Take up to `count` completions that are there already, to the array at `events`; how many."""
    try:
        return check(_io_getevents(context, 0, count, events, 0))
    except InterruptedError:
        # The kernel says so instead of "none" to a thread with a signal pending; and io_uring's
        # completions, which it hands over in the thread that uses the ring, look like one.
        return 0
