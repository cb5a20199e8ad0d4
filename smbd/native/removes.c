/* Compounds that delete a file: a CREATE with DELETE_ON_CLOSE, and its CLOSE.

   Python has taken a folder for this call (smbd/removals.py): nobody else changes its names, nobody
   is told of what goes there, and no share rule is about it.  Here is asked what is true of a file:
   a small one with one name that nobody has open, that may be written, and of which no record says
   anything.  All that is shown of such a file is in its status.  Whatever else it is, Python looks.

   In a conversation they may also come one after the other.  The file is opened then, and C waits
   for its CLOSE: a moment, and as long as nobody else has something to do. */

#include <stdio.h>
#include <sys/sysmacros.h>

enum {
    ATTRIBUTES_AT = 8, MODE_AT = 28, LINKS_AT = 16, END_AT = 40, BLOCKS_AT = 48, DEVICE_AT = 136,  /* in struct statx */
    HAS_BIRTH = 0x800,
    TIMES_AT = 8, ALLOCATION_AT = 40,  /* in the bodies of both responses */
    ARCHIVE = 0x20, LEAST_HOLE = 65536, BLOCK = 512,
    FIXED = 0x30,  /* of the attributes: chattr +i, +a */
};

#define WAIT 0.001  /* seconds: smbd/vfs/at_once.py */
#define EPOCH 116444736000000000u  /* smbd/wire/filetime.py */
#define LAST_SECOND 900000000000   /* before LAST_FILETIME */

/* Access, birth, change and modification time in struct statx, as responses have them: creation, last
   access, last write, change. */
static const uint32_t TIMES[4] = {80, 64, 112, 96};

/* The last component of a name in the folder that is taken, as it is on disk; 0: Python looks. */
static int plain_component(const struct taken *taken, const uint8_t *name, uint32_t size, char *out) {
    if (size <= taken->prefix_size || memcmp(name, taken->prefix, taken->prefix_size))
        return 0;
    uint32_t count = (size - taken->prefix_size) / 2;
    name += taken->prefix_size;
    if (count > MOST_COMPONENT || size % 2 || u16(name) == '.')
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t c = u16(name + 2 * i);
        if (c < 0x20 || c > 0x7e || strchr("\"*<>?|/:\\", c))
            return 0;
        out[i] = (char)c;
    }
    out[count] = 0;
    return 1;
}

/* Whether nothing is recorded of an open file: smbd/vfs/records.py reads "user." alone. */
static int has_no_records(int fd) {
    char path[32], names[256];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t size = listxattr(path, names, sizeof names);
    if (size < 0)
        return errno == EOPNOTSUPP;
    for (char *name = names; name < names + size; name += strlen(name) + 1)
        if (!strncmp(name, "user.", 5))
            return 0;
    return 1;
}

/* Whether a file may go by this call, and all that is shown of it is here. */
static int is_small_and_plain(const struct visits *visits, const uint8_t *status) {
    uint64_t size = u64(status + END_AT), blocks = u64(status + BLOCKS_AT);
    uint32_t mode = u16(status + MODE_AT);
    for (int i = 0; i < 4; i++)
        if ((int64_t)u64(status + TIMES[i]) < 0 || (int64_t)u64(status + TIMES[i]) > LAST_SECOND)
            return 0;
    return (u32(status) & HAS_BIRTH) && S_ISREG(mode) && (mode & S_IWUSR) && u32(status + LINKS_AT) == 1
        && blocks <= visits->small / BLOCK && size < blocks * BLOCK + LEAST_HOLE
        && !memcmp(status + DEVICE_AT, visits->taken.place, sizeof visits->taken.place)
        && !visits->inodes[u64(status + INODE_AT) % visits->numbers];
}

/* Whether an open file may go by this call, and its status. */
static int may_go(const struct visits *visits, int fd, uint8_t *status) {
    return !syscall(SYS_statx, fd, "", visits->flags, visits->mask, status)
        && is_small_and_plain(visits, status) && has_no_records(fd);
}

/* The descriptor of a name in the folder that is taken, whose file may go, and its status; or -1. */
static int open_small(const struct visits *visits, const char *name, uint8_t *status) {
    struct open_how_ how = {O_PATH | O_CLOEXEC, 0, visits->resolve};
    int fd = (int)syscall(SYS_openat2, visits->taken.fd, name, &how, sizeof how);
    if (fd >= 0 && !may_go(visits, fd, status)) {
        close(fd);
        return -1;
    }
    return fd;
}

static double cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Removes a name of that folder, and its file's descriptor, which frees it; notes the name, and how
   long that has waited (AtOnce).  0: it is still there, and open. */
static int remove_name(struct taken *taken, const char *name, int fd) {
    double cpu = cpu_now(), began = now();
    if (unlinkat(taken->fd, name, 0))
        return 0;
    close(fd);
    double idle = (now() - began) - (cpu_now() - cpu);
    if (idle > taken->idle)
        taken->idle = idle;
    if (idle > WAIT)
        taken->until = 0;
    strcpy(taken->names + taken->size, name);
    taken->size += (uint32_t)strlen(name) + 1;
    return 1;
}

/* What a response shows of a file. */
static void show(uint8_t *body, const uint8_t *status) {
    uint64_t allocation = u64(status + BLOCKS_AT) * BLOCK;
    for (int i = 0; i < 4; i++) {
        const uint8_t *time = status + TIMES[i];
        put64(body + TIMES_AT + 8 * i, u64(time) * 10000000 + u32(time + 8) / 100 + EPOCH);
    }
    put64(body + ALLOCATION_AT, allocation);
    put64(body + ALLOCATION_AT + 8, u64(status + END_AT));
    put32(body + ALLOCATION_AT + 16, ARCHIVE);
}

/* Answers a frame of a form that removes: -1 if it did, or why not. */
static int answer_removal(struct burst *b, const struct visit_form *form, const uint8_t *message) {
    struct taken *taken = &b->visits->taken;
    uint8_t status[STATUS], bodies[MOST_REMOVAL];
    char name[MOST_COMPONENT + 1];
    uint64_t made = frame_of(form->count, form->sizes);
    if (taken->fd < 0 || taken->root != form->root || !is_next(b, form, message)
        || !plain_component(taken, message + NAME_AT, u16(message + NAME_SIZE_AT), name)
        || strlen(name) + 1 > sizeof taken->names - taken->size)
        return OTHER;
    if (made > b->room - b->made)
        return b->made ? FULL : OTHER;
    int alone = form->count == 1;
    double started = now();
    if (started >= form->until || (alone && (!b->talks || started >= taken->until)))
        return OTHER;
    int fd = open_small(b->visits, name, status);
    int goes = fd >= 0 && (alone ? !(u64(status + ATTRIBUTES_AT) & FIXED) : remove_name(taken, name, fd));
    if (!goes) {
        if (fd >= 0)
            close(fd);
        return OTHER;
    }
    b->ended = now();
    b->took = b->ended - started;
    if (alone) {
        const struct visit_id *id = &b->visits->ids[b->visits->left - 1];
        b->doomed = (struct doomed){fd, b->which - MOST_OPENS, id->persistent, id->volatile_id, {0}, {0}};
        memcpy(b->doomed.status, status, STATUS);
        strcpy(b->doomed.name, name);
    }
    memcpy(bodies, form->bodies, form->sizes[0] + form->sizes[1]);
    show(bodies, status);
    if (form->id_at) {  /* [MS-SMB2] 2.2.14.2.9 */
        put64(bodies + form->id_at, u64(status + INODE_AT) ^ taken->mask);
        put64(bodies + form->id_at + 8, taken->volume_id);
    }
    if (form->tells)
        show(bodies + form->sizes[0], status);
    answer_parts(b, form, form->sizes, bodies, made);
    return -1;
}

/* Whether a name in the folder that is taken is still that of a file. */
static int is_still(const struct taken *taken, const char *name, const uint8_t *status) {
    struct stat there;
    return !fstatat(taken->fd, name, &there, AT_SYMLINK_NOFOLLOW) && there.st_ino == u64(status + INODE_AT)
        && there.st_dev == makedev(u32(status + DEVICE_AT), u32(status + DEVICE_AT + 4));
}

/* Whether a message is the CLOSE of the file that waits for it, from whom has opened it. */
static int is_its_close(const struct burst *b, const uint8_t *message, size_t size) {
    const struct doomed *doomed = &b->doomed;
    const struct visit_form *form = b->forms[doomed->which];
    return b->before == PREFIX && size == SHORTEST && !memcmp(message, "\xfeSMB", 4)
        && u16(message + 4) == HEADER && u16(message + 12) == CLOSE && !u32(message + NEXT_AT)
        && !memcmp(message + 8, form->head + 4, 4)    /* ChannelSequence */
        && !memcmp(message + FLAGS_AT, form->head + 12, 4)
        && !memcmp(message + 32, form->holder, sizeof form->holder) && u16(message + HEADER) == 24
        && u16(message + HEADER + 2) <= 1 && u64(message + HEADER + 8) == doomed->persistent
        && u64(message + HEADER + 16) == doomed->volatile_id;
}

/* Answers what comes behind the CREATE of a file that goes: its CLOSE, or it is Python's. */
static int answer_end(struct burst *b, const uint8_t *message, size_t size) {
    struct doomed *doomed = &b->doomed;
    struct taken *taken = &b->visits->taken;
    uint8_t status[STATUS], *out = b->out + b->made, *body = out + PREFIX + HEADER;
    uint32_t charge = charge_of(b, message);
    if (!charge || !is_its_close(b, message, size) || PREFIX + HEADER + 60 > b->room - b->made)
        return OTHER;
    double started = now();
    if (!may_go(b->visits, doomed->fd, status) || !is_still(taken, doomed->name, status))
        return OTHER;
    if (!remove_name(taken, doomed->name, doomed->fd))
        close(doomed->fd);  /* CLOSE has no way to say that a deletion failed */
    doomed->fd = -1;
    b->ended = now();
    b->took = b->ended - started;
    memset(body, 0, 60);
    put16(body, 60);
    if (u16(message + HEADER + 2)) {
        put16(body + 2, 1);
        show(body, status);
    }
    b->low += charge;
    b->made += finish(b, NULL, message, out, PREFIX, HEADER + 60);
    b->length = 0;
    b->kind = VISITED;
    return -1;
}
