/* What Python calls of the C library.  `python -m tests.aio.prototypes` makes prototypes.py of it.
   Addresses are uintptr_t, not pointers: Python ints go through without making a cdata object. */

struct open_how { uint64_t flags, mode, resolve; };
struct cachestat_range { uint64_t off, len; };
struct cachestat { uint64_t cache, dirty, writeback, evicted, recently_evicted; };

uintptr_t mmap(uintptr_t address, size_t length, int prot, int flags, int fd, int64_t offset);
int munmap(uintptr_t address, size_t length);
int mincore(uintptr_t address, size_t length, unsigned char *vector);
ssize_t pread(int fd, uintptr_t into, size_t length, int64_t offset);
ssize_t pwrite(int fd, uintptr_t data, size_t length, int64_t offset);
int fallocate(int fd, int mode, int64_t offset, int64_t length);
int fstatfs(int fd, void *buffer);
int futimens(int fd, const int64_t *times);
int utimensat(int dir_fd, const char *path, const int64_t *times, int flags);
ssize_t llistxattr(const char *path, char *list, size_t size);
int malloc_trim(size_t pad);
int unshare(int flags);
int mount(const char *source, const char *target, const char *kind, unsigned long flags,
          const char *options);
int umount2(const char *target, int flags);
int inotify_init1(int flags);
int inotify_add_watch(int fd, const char *path, uint32_t mask);
int inotify_rm_watch(int fd, int wd);
int fanotify_init(unsigned int flags, unsigned int event_flags);
int fanotify_mark(int fd, unsigned int flags, uint64_t mask, int dir_fd, const char *path);
int name_to_handle_at(int dir_fd, const char *path, void *handle, int *mount, int flags);
long syscall(long number, ...);
