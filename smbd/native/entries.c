/* The plain entries of a listing, packed as QUERY_DIRECTORY has them, without Python's lock.

   Plain is a file or folder of the share's own file system without extended attributes, whose times
   Windows has too.  Whatever else comes next, Python looks at: each rule about it has its home there,
   and of what is told of plain ones too (smbd/vfs/plain_entries.py). */

#include <stdint.h>

enum {
    DOTTED = 1, UNWRITABLE = 2, HOLLOW = 4, FOLDER = 8,
    HEAD = 64, NAME_LENGTH_AT = 60,  /* of every information class but one ([MS-FSCC] 2.4) */
};

/* What the entries of one folder share. */
struct kind {
    uint32_t mask;          /* for statx */
    uint32_t major, minor;  /* of their file system */
    uint32_t size, id_at;   /* of an entry, without its name; where its FileId is: 0: nowhere */
    uint32_t block, hole;   /* bytes that st_blocks counts; that are the least of a hole */
    uint32_t attributes[16];  /* by DOTTED ... */
};

struct packed {
    uint32_t size, last;    /* bytes, without padding behind the last; where that begins */
    uint32_t done;          /* names up to the next one, which is not plain, or has no room */
    uint32_t full;          /* it has none */
};

/* The FILETIME of a time; 0 if it has none, or one that Python has to bound. */
static uint64_t filetime(struct statx_timestamp time)
{
    if (time.tv_sec <= -11644473600 || time.tv_sec > 910000000000)
        return 0;
    return (uint64_t)(time.tv_sec * 10000000 + time.tv_nsec / 100 + 116444736000000000);
}

static void put(uint8_t *at, uint64_t number, size_t size) { memcpy(at, &number, size); }

/* The fixed part of an entry; whether it is plain. */
static int describe(const struct kind *kind, const char *name, const struct statx *s, uint8_t *out)
{
    int is_folder = S_ISDIR(s->stx_mode);
    uint64_t created = filetime(s->stx_btime), accessed = filetime(s->stx_atime);
    uint64_t written = filetime(s->stx_mtime), changed = filetime(s->stx_ctime);
    if ((!is_folder && !S_ISREG(s->stx_mode)) || s->stx_dev_major != kind->major
        || s->stx_dev_minor != kind->minor || !(s->stx_mask & STATX_BTIME) || !created || !accessed
        || !written || !changed || s->stx_size > INT64_MAX || s->stx_blocks > INT64_MAX / kind->block)
        return 0;
    uint64_t allocated = s->stx_blocks * kind->block;
    int what = (*name == '.' ? DOTTED : 0) | (s->stx_mode & S_IWUSR ? 0 : UNWRITABLE)
               | (is_folder ? FOLDER : 0)
               | ((int64_t)s->stx_size - (int64_t)allocated >= kind->hole ? HOLLOW : 0);
    memset(out, 0, kind->size);
    put(out + 8, created, 8);
    put(out + 16, accessed, 8);
    put(out + 24, written, 8);
    put(out + 32, changed, 8);
    put(out + 40, is_folder ? 0 : s->stx_size, 8);
    put(out + 48, is_folder ? 0 : allocated, 8);
    put(out + 56, kind->attributes[what], 4);
    if (kind->id_at)
        put(out + kind->id_at, s->stx_ino, 8);
    return 1;
}

static int is_dots(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Packs the plain entries at the beginning of `count` names, as many as there is room for.  `names`
   are those on disk, and `shown` the same in UTF-16, each with a zero behind it. */
static void pack_plain(int folder, const char *names, const uint8_t *shown, uint32_t count,
                       const struct kind *kind, uint8_t *out, uint32_t room, struct packed *packed)
{
    uint32_t at = 0;
    memset(packed, 0, sizeof *packed);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = 0;
        struct statx status;
        while (shown[length] || shown[length + 1])
            length += 2;
        uint32_t size = kind->size + length;
        packed->done = i;
        if (at > room || size > room - at) {
            packed->full = 1;
            return;
        }
        if (is_dots(names))
            return;
        if (!statx(folder, names, AT_SYMLINK_NOFOLLOW, kind->mask, &status)) {
            if (has_user_attributes(folder, names) || !describe(kind, names, &status, out + at))
                return;
            put(out + at + NAME_LENGTH_AT, length, 4);
            memcpy(out + at + kind->size, shown, length);
            if (packed->size)
                put(out + packed->last, at - packed->last, 4);  /* NextEntryOffset */
            packed->last = at;
            packed->size = at + size;
            uint32_t next = (at + size + 7) & ~7u;
            if (next <= room)
                memset(out + at + size, 0, next - at - size);
            at = next;
        }
        names += strlen(names) + 1;
        shown += length + 2;
    }
    packed->done = count;
}
