/* ptrace(2) for User Mode Linux on processors with AMX.
 *
 * It writes a guest process's floating-point state back with as much room as AVX-512 takes, 2,696
 * bytes.  The kernel wants the whole state (11 KiB with AMX) or says EFAULT, and the guest panics
 * with its first process.  Here the rest of the state stays as it is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/elf.h>
#include <linux/ptrace.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char whole[1 << 16];

static long set_state(pid_t pid, const struct iovec *given)
{
    struct iovec state = {whole, sizeof whole};
    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &state) < 0)
        return -1;
    memcpy(whole, given->iov_base, given->iov_len < state.iov_len ? given->iov_len : state.iov_len);
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &state);
}

long ptrace(int request, ...)
{
    va_list rest;
    va_start(rest, request);
    pid_t pid = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
    va_end(rest);
    if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
        return set_state(pid, data);
    if (request < PTRACE_PEEKTEXT || request > PTRACE_PEEKUSR)
        return syscall(SYS_ptrace, request, pid, address, data);
    long word; /* which the C library returns and the system call stores */
    if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
        return -1;
    errno = 0;
    return word;
}
