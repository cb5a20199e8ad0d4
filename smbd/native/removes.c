/* Compounds that delete a file: a CREATE with DELETE_ON_CLOSE, and its CLOSE.

   Python has taken a folder for this call (smbd/removals.py): nobody else changes its names, nobody
   is told of what goes there, and no share rule is about it.  Here is asked what is true of a file:
   a small one with one name that nobody has open, that may be written, and of which no record says
   anything.  All that is shown of such a file is in its status.  Whatever else it is, Python looks. */

#include <stdio.h>

enum {
    MODE_AT = 28, LINKS_AT = 16, END_AT = 40, BLOCKS_AT = 48, DEVICE_AT = 136,  /* in struct statx */
    HAS_BIRTH = 0x800,
    TIMES_AT = 8, ALLOCATION_AT = 40,  /* in the bodies of both responses */
    ARCHIVE = 0x20, LEAST_HOLE = 65536, BLOCK = 512,
    MOST_COMPONENT = 63,
};

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

/* Removes a name of the folder that is taken, and fills in its file's status; 0: it is still there. */
static int remove_small(const struct visits *visits, const char *name, uint8_t *status) {
    int folder = visits->taken.fd;
    struct open_how_ how = {O_PATH | O_CLOEXEC, 0, visits->resolve};
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (fd < 0)
        return 0;
    int gone = !syscall(SYS_statx, fd, "", visits->flags, visits->mask, status)
        && is_small_and_plain(visits, status) && has_no_records(fd) && !unlinkat(folder, name, 0);
    close(fd);  /* which frees it */
    return gone;
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
    double started = now();
    if (started >= form->until || !remove_small(b->visits, name, status))
        return OTHER;
    b->ended = now();
    b->took = b->ended - started;
    strcpy(taken->names + taken->size, name);
    taken->size += (uint32_t)strlen(name) + 1;
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
