/* Visits: compounds from CREATE to CLOSE, whose answers smbd/commands/visit.py remembers.

   Python gives a form, all of such a frame but its name and ids, and the answers for each name,
   beside the status of its file.  Where openat2 and statx find the same status again, and nobody
   has the file open, so are the answers, but for the FileId.  All else that CREATE asks about the
   session, the tree connect and the share cannot change while C runs; Python says it of a form
   before its first visit in a call. */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>

enum {
    CREATE = 5, CREDITS_AT = 14, NEXT_AT = 20, NAME_SIZE_AT = 110, CONTEXTS_AT = 112, NAME_AT = 120,
    FILE_ID_AT = 64,  /* in the body of CREATE's response */
    INODE_AT = 32,  /* in struct statx */
};

struct open_how_ {  /* linux/openat2.h, which older systems lack */
    uint64_t flags, mode, resolve;
};

/* The answers to one name, by the ids that a server's Python has given root and form. */
struct visit {
    uint32_t root, what, maximum, name_size, path_size, count;
    uint32_t sizes[MOST_PARTS];
    uint8_t status[STATUS];
    uint8_t bytes[];  /* the name as in a CREATE, the path with its 0, and the bodies */
};

struct visit_id {
    uint64_t persistent, volatile_id;
};

/* The folder that Python has taken for one call, where C may remove names (removes.c). */
struct taken {
    int32_t fd;                      /* O_PATH; -1: there is none */
    uint32_t root, prefix_size;
    uint8_t prefix[MOST_PREFIX];     /* of a name in a CREATE, its last backslash counted in */
    uint8_t place[16];               /* device and mount, as in struct statx */
    uint64_t mask, volume_id;        /* of a FileId on disk */
    uint32_t size;                   /* bytes of the names that were removed, ... */
    char names[MOST_REMOVED];        /* ... each with its 0 */
    double until;                    /* when a conversation gives it back, by CLOCK_MONOTONIC */
    double idle;                     /* seconds that the slowest removal has waited */
};

/* All visits of one server, and what they need of it. */
struct visits {
    struct visit *slots[MOST_VISITS];  /* in pairs, the one that was learnt last in front */
    const uint32_t *inodes;          /* open files, by their inode's number; so many numbers */
    uint64_t numbers;
    uint64_t resolve;                /* as smbd/vfs/confine.py finds what is cached */
    uint32_t mask, flags;            /* as smbd/vfs/information.py asks for a status */
    uint32_t left;                   /* of these, which no Open has */
    struct visit_id ids[VISIT_IDS];
    uint64_t small;                  /* bytes of a file whose end waits for nothing */
    struct taken taken;
};

/* All of a visit but its name and ids. */
struct visit_form {
    uint8_t head[16], holder[16], body[46];
    uint16_t credits[MOST_PARTS];
    uint32_t count, what, contexts_size, rest_size;
    const uint8_t *contexts, *rest;   /* of the CREATE; the requests behind it */
    uint32_t starts[MOST_PARTS];      /* of those, the first one's is 0 */
    uint8_t headers[MOST_PARTS][HEADER];  /* of the responses */
    /* Of one that removes its file: the bodies of the responses, but for what is shown of that. */
    uint32_t removes, tells;          /* CLOSE tells it too */
    uint32_t sizes[MOST_PARTS], id_at;  /* where a FileId on disk is; 0: nowhere */
    const uint8_t *bodies;
    /* Python writes, when it is asked. */
    uint32_t ready, root, maximum;
    int32_t fd;                       /* of the share's folder */
    double until;                     /* a time of CLOCK_MONOTONIC */
};

/* The pair of slots that a name has (FNV-1a). */
static struct visit **pair_of(struct visits *visits, uint32_t root, uint32_t what, const uint8_t *name,
                             uint32_t size) {
    uint64_t hash = 0xcbf29ce484222325u ^ root ^ ((uint64_t)what << 32);
    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ name[i]) * 0x100000001b3u;
    return &visits->slots[(hash ^ hash >> 32) % (MOST_VISITS / 2) * 2];
}

/* What is known of a name; NULL: nothing. */
static struct visit *find_visit(struct visits *visits, const struct visit_form *form,
                              const uint8_t *name, uint32_t size) {
    struct visit **pair = pair_of(visits, form->root, form->what, name, size);
    for (int i = 0; i < 2; i++) {
        struct visit *visit = pair[i];
        if (visit && visit->root == form->root && visit->what == form->what
            && visit->maximum == form->maximum && visit->count == form->count
            && visit->name_size == size && !memcmp(visit->bytes, name, size))
            return visit;
    }
    return NULL;
}

/* Keeps the answers to a name: `bytes` as in struct visit; 0 without memory. */
int visit_learn(struct visits *visits, const uint32_t *numbers, const uint32_t *sizes,
               const uint8_t *status, const uint8_t *bytes, size_t size) {
    struct visit *visit = malloc(sizeof *visit + size);
    if (!visit)
        return 0;
    memset(visit, 0, sizeof *visit);
    memcpy(&visit->root, numbers, 6 * sizeof *numbers);
    memcpy(visit->sizes, sizes, visit->count * sizeof *sizes);
    memcpy(visit->status, status, STATUS);
    memcpy(visit->bytes, bytes, size);
    struct visit **pair = pair_of(visits, visit->root, visit->what, visit->bytes, visit->name_size);
    int same = pair[0] && pair[0]->root == visit->root && pair[0]->what == visit->what
               && pair[0]->name_size == visit->name_size
               && !memcmp(pair[0]->bytes, visit->bytes, visit->name_size);
    free(pair[!same]);
    pair[1] = same ? pair[1] : pair[0];
    pair[0] = visit;
    return 1;
}

void visit_forget_all(struct visits *visits) {
    for (int i = 0; i < MOST_VISITS; i++)
        free(visits->slots[i]);
}

/* Whether what is behind the CREATE is the form's, with the ids that follow. */
static int is_rest(const struct visit_form *form, const uint8_t *rest, uint64_t message_id) {
    for (uint32_t i = 1; i < form->count; i++) {
        uint32_t from = form->starts[i], to = i + 1 < form->count ? form->starts[i + 1] : form->rest_size;
        const uint8_t *mine = form->rest + from, *its = rest + from;
        if (memcmp(mine, its, MESSAGE_ID_AT) || u64(its + MESSAGE_ID_AT) != message_id + i
            || memcmp(mine + 32, its + 32, 16) || memcmp(mine + HEADER, its + HEADER, to - from - HEADER))
            return 0;
    }
    return 1;
}

/* The form of a frame that may be a visit; NULL if it has none that is known. */
static struct visit_form *form_of(struct burst *b, const uint8_t *message, size_t size) {
    if (size <= NAME_AT || memcmp(message, "\xfeSMB", 4))
        return NULL;
    uint64_t next = u32(message + NEXT_AT), end = next ? next : size;
    uint64_t stop = NAME_AT + (uint64_t)u16(message + NAME_SIZE_AT);
    uint64_t start = u32(message + CONTEXTS_AT), length = u32(message + CONTEXTS_AT + 4);
    if (end > size || next % 8 || stop > end || start + length > end
        || (length ? start < stop || start % 8 : start))
        return NULL;
    for (uint32_t i = 0; i < b->form_count; i++) {
        struct visit_form *form = b->forms[i];
        if (form->rest_size == size - end && form->contexts_size == length
            && !memcmp(message + 4, form->head, 10) && !memcmp(message + FLAGS_AT, form->head + 12, 4)
            && (form->count == 1 || u16(message + CREDITS_AT) == form->credits[0])
            && !memcmp(message + 32, form->holder, sizeof form->holder)
            && !memcmp(message + HEADER, form->body, sizeof form->body)
            && !memcmp(message + start, form->contexts, length)
            && is_rest(form, message + end, u64(message + MESSAGE_ID_AT))) {
            b->which = MOST_OPENS + i;
            return form;
        }
    }
    return NULL;
}

/* Whether statx says of an open file what it has said before. */
static int has_status(int fd, uint32_t flags, uint32_t mask, const uint8_t *before) {
    uint8_t status[STATUS];
    return !syscall(SYS_statx, fd, "", flags, mask, status) && !memcmp(status, before, STATUS);
}

/* Whether the file is as it was. */
static int is_same(struct burst *b, const struct visit_form *form, const struct visit *visit) {
    const struct visits *visits = b->visits;
    struct open_how_ how = {O_PATH | O_CLOEXEC, 0, visits->resolve};
    double started = now();
    if (started >= form->until || visits->inodes[u64(visit->status + INODE_AT) % visits->numbers])
        return 0;
    const char *path = (const char *)visit->bytes + visit->name_size;
    int fd = (int)syscall(SYS_openat2, form->fd, path, &how, sizeof how);
    if (fd < 0)
        return 0;
    int same = has_status(fd, visits->flags, visits->mask, visit->status);
    close(fd);
    b->ended = now();
    b->took = b->ended - started;
    return same;
}

/* CommandSequenceWindow.grant_each. */
static void grant_each(struct burst *b, const struct visit_form *form, uint16_t *granted) {
    uint64_t total = 0, span = b->high - b->low;
    for (uint32_t i = 0; i < form->count; i++)
        total += form->credits[i];
    int whole = total && span <= b->maximum && total <= b->maximum - span;
    for (uint32_t i = 0; i < form->count; i++)
        granted[i] = whole ? form->credits[i] : grant(b, form->credits[i]);
    if (whole)
        b->high += total;
}

/* Whether the ids of a frame are those that come next. */
static int is_next(const struct burst *b, const struct visit_form *form, const uint8_t *message) {
    return u64(message + MESSAGE_ID_AT) == b->low && form->count <= b->high - b->low;
}

/* Bytes of a frame of responses whose bodies are so long. */
static uint64_t frame_of(uint32_t count, const uint32_t *sizes) {
    uint64_t made = PREFIX;
    for (uint32_t i = 0; i < count; i++)
        made += HEADER + (sizes[i] + 7) / 8 * 8;
    return made;
}

/* Makes the frame of the responses, of `made` bytes, by their bodies. */
static void answer_parts(struct burst *b, const struct visit_form *form, const uint32_t *sizes,
                         const uint8_t *body, uint64_t made) {
    uint16_t granted[MOST_PARTS];
    uint64_t message_id = b->low;
    b->low += form->count;
    grant_each(b, form, granted);
    uint8_t *out = b->out + b->made;
    put32(out, __builtin_bswap32((uint32_t)(made - PREFIX)));
    out += PREFIX;
    for (uint32_t i = 0; i < form->count; i++) {
        uint32_t length = sizes[i], whole = HEADER + (length + 7) / 8 * 8;
        memcpy(out, form->headers[i], HEADER);
        put16(out + 14, granted[i]);
        put32(out + NEXT_AT, i + 1 < form->count ? whole : 0);
        put64(out + MESSAGE_ID_AT, message_id + i);
        memcpy(out + HEADER, body, length);
        memset(out + HEADER + length, 0, whole - HEADER - length);
        if (!i) {
            const struct visit_id *id = &b->visits->ids[--b->visits->left];
            put64(out + HEADER + FILE_ID_AT, id->persistent);
            put64(out + HEADER + FILE_ID_AT + 8, id->volatile_id);
        }
        out += whole;
        body += length;
    }
    b->made += made;
    b->length = 0;
    b->kind = VISITED;
}

static int answer_removal(struct burst *b, const struct visit_form *form, const uint8_t *message);

/* Answers a frame that may be a visit: -1 if it did, or why not. */
static int answer_visit(struct burst *b, const uint8_t *message, size_t size) {
    struct visit_form *form = form_of(b, message, size);
    if (!form)
        return OTHER;
    if (!form->ready || !b->visits->left)
        return ASK;
    if (form->count == 1)
        form->credits[0] = u16(message + CREDITS_AT);  /* alone it asks for what its client needs */
    if (form->removes)
        return answer_removal(b, form, message);
    uint32_t name_size = u16(message + NAME_SIZE_AT);
    const uint8_t *name = message + NAME_AT;
    const struct visit *visit = find_visit(b->visits, form, name, name_size);
    if (!visit || !is_next(b, form, message))
        return OTHER;
    uint64_t made = frame_of(visit->count, visit->sizes);
    if (made > b->room - b->made)
        return b->made ? FULL : OTHER;
    if (!is_same(b, form, visit))
        return OTHER;
    answer_parts(b, form, visit->sizes, visit->bytes + visit->name_size + visit->path_size, made);
    b->visited++;
    return -1;
}
