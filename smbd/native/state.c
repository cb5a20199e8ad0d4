/* What C knows of a connection. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

enum {
    MOST_OPENS = 16,
    PREFIX = 4, BODY = HEADER + 16,
    REQUEST_END = HEADER + 48, FARTHEST_DATA = 0x100,  /* of a READ or WRITE */
    SHORTEST = HEADER + 24,  /* a FLUSH or CLOSE */
    QUERY_INFO_END = HEADER + 40,
    ONE_CREDIT = 65536, LONGEST = ONE_CREDIT + 1024,
    CLOSE = 6, FLUSH = 7, READ = 8, WRITE = 9, QUERY_INFO = 16,
    PRIORITY_MASK = 0x70, WRITE_THROUGH = 1,
    PAGE = 4096,
    MOST_PARTS = 6, MOST_FORMS = 16, MOST_VISITS = 4096, VISIT_IDS = 64,
    MOST_COMPONENT = 63, MOST_PREFIX = 1024, MOST_REMOVED = 8192, MOST_REMOVAL = 256,
    MAY_READ = 1, MAY_WRITE = 2, MAY_BARE = 4, MAY_SIGN = 8, MAY_SEAL = 16, MAY_MISS = 32,
    MAY_FLUSH = 64, MAY_PASS = 128, MAY_TELL = 256, MAY_CLOSE = 512,
};

/* Why a call has returned.  ENDED: all whole frames are answered.  OTHER: the next one is for
   Python.  ASK: so it is, unless this open may be used.  FULL: the turn is over, or there is no
   more room.  WAITED: the last call to the kernel took long.  NOTHING was received: Python finds
   out why.  AWAITS: the socket is readable when a frame is whole.  REFUSED: a WRITE has failed, and
   Python answers it.  LOOP: it has something to do, which may be this connection's.  CLOSED: the
   last one was a CLOSE, and Python ends the open. */
enum { ENDED, OTHER, ASK, FULL, WAITED, NOTHING, AWAITS, REFUSED, LOOP, CLOSED };

/* What the last call to the kernel was: a READ in the page cache, a WRITE, a READ that was not, or a
   visit.  Or that it was an answer about an open, or its end, which take no time to speak of. */
enum { HIT, WRITTEN, MISSED, VISITED, TOLD, GONE };

enum { STATUS = 256  /* struct statx */, LONGEST_ASKED = QUERY_INFO_END - HEADER - 16, LONGEST_PREDICTED = 1024 };

/* What a QUERY_INFO of one open is answered, for as long as statx says the same of its file. */
struct predicted {
    uint8_t status[STATUS];    /* what it has said */
    uint8_t asked[LONGEST_ASKED];  /* the request's body, up to the FileId ... */
    uint32_t asked_size;       /* ... and the bytes of the message */
    uint32_t mask;             /* for statx */
    uint32_t young;            /* a record that comes may not show there: there must be none */
    uint32_t size;             /* of the answer's body */
    uint32_t times;            /* it was asked for since Python has looked */
    uint8_t answer[LONGEST_PREDICTED];
};

struct fast_open {
    /* Python reads what was done since it was made ready (DONE). */
    uint64_t position, reads, bytes_read, writes, bytes_written;
    uint64_t missed, missed_size;  /* READs that threads shall carry out, the bytes they hold, ... */
    struct jobs begun;             /* ... and their jobs */
    uint64_t flush_size;           /* the same of a FLUSH */
    struct jobs flush;
    /* The same of those that `burst_finish` has answered (_FINISHED). */
    uint64_t last_position, ended, ended_bytes, ended_size;
    double ended_seconds, ended_longest;
    uint64_t flushed, flushed_size;
    double flushed_seconds, flushed_longest;
    /* Python writes. */
    uint64_t session_id, persistent_id, volatile_id;
    uint32_t tree_id, sequence;
    int32_t fd;
    uint32_t ready;            /* MAY_READ ...: in this call; 0: ask */
    uint32_t longest;          /* bytes that a WRITE may have ... */
    uint32_t longest_read;     /* ... and a READ that is alone in its reply ... */
    uint32_t longest_passed;   /* ... or goes by the pipe */
    double writes_until;       /* a time of CLOCK_MONOTONIC */
    const int32_t *working;    /* calls at work on the file, for which a WRITE would wait */
    const struct guard *guard; /* its session's; NULL: there is none, and no MAY_SIGN or MAY_SEAL */
};

struct visits;
struct visit_form;

/* A file that C has opened to delete it, and whose CLOSE it waits for (removes.c): in no table yet. */
struct doomed {
    int32_t fd;                /* O_PATH; -1: there is none */
    uint32_t which;            /* of `forms` */
    uint64_t persistent, volatile_id;
    uint8_t status[STATUS];    /* what statx has said */
    char name[MOST_COMPONENT + 1];  /* in the folder that is taken */
};

struct burst {
    /* Python writes before each call (CALL). */
    uint64_t in, size;         /* where received bytes lie, and the room there */
    uint64_t room, most;       /* bytes of replies; bytes of the turn, in and out */
    uint64_t maximum, used;    /* CommandSequenceWindow's, as low and high below */
    uint64_t flight, left;     /* bytes that READs that miss may hold, and how many there may be */
    double over, again;        /* when the turn is over; until when more is received */
    int32_t sock;              /* -1: Python has received, and sends */
    uint32_t ready;            /* what `which` of `opens` may be used for */
    uint64_t company;          /* others can go on of whom the kernel knows nothing any more */
    /* Python writes before each call, and reads behind it (STATE). */
    uint64_t at, have;         /* bytes answered, and received */
    uint64_t low, high;
    uint32_t which, multi_credit;  /* of `opens`, and behind them of `forms`; ... */
    uint64_t made, sent;       /* bytes of replies in `out`, and how many of them have left */
    double took, ended;        /* of the last call to the kernel */
    uint32_t length, kind;     /* of the last READ or WRITE: HIT ... */
    /* Set once, or as opens come to be known. */
    uint8_t *out;
    double slow[4];            /* seconds: of a HIT ... */
    uint32_t count, frames;    /* how many of `opens`; of this burst ... */
    uint32_t missed;           /* ... and those that threads shall carry out */
    struct fast_open opens[MOST_OPENS];
    uint32_t piece, whole;     /* so many frames' replies leave at once; of this burst, that have */
    uint64_t bursts;           /* of a conversation, that were answered */
    struct predicted *predicted;  /* of the open that MAY_TELL */
    uint8_t *opened;           /* room for a sealed request, which stays as it came */
    size_t before;             /* bytes before the reply's header: of NetBIOS, and of the seal */
    uint64_t held;             /* by a READ that threads carry out, beside its message and data */
    struct jobs returned;      /* its requests that threads have carried out */
    struct jobs odd;           /* those of them that Python is to answer */
    struct miss *oldest, *newest;
    /* Of long WRITEs (large.c) and READs (pages.c).  Python writes. */
    int32_t pipe[2];           /* between socket and file, empty between two; -1: there is none */
    /* Python reads. */
    int32_t error;             /* errno, of one that was REFUSED */
    uint64_t past;             /* bytes of frames that went past the receive buffer */
    uint8_t head[PREFIX + REQUEST_END];  /* of the last one */
    uint32_t lowat, grown;     /* the socket's SO_RCVLOWAT, if not the usual one; the most so far */
    uint32_t others;           /* the loop had something else to do, as the last answer left */
    /* Of visits (visits.c). */
    struct visits *visits;
    struct visit_form *forms[MOST_FORMS];
    uint32_t form_count, visited;  /* ... in this call */
    /* Of a burst. */
    double patience;           /* seconds after which others are asked for; Python writes it ... */
    int32_t loop;              /* ... and this: readable if they wait; -1: it is not known */
    int32_t talks;             /* the loop waits for the socket too */
    double asked;              /* when others were asked for */
    /* Of a conversation. */
    double alone;              /* when nobody else waited, for certain */
    uint32_t last;             /* the loop goes on behind this burst */
    struct doomed doomed;
    double moment;             /* seconds that its CLOSE is waited for */
};
