/* The floor: the same system calls a burst as a server of READs and WRITEs needs, and nothing else.
 *
 *   floor PORT FILE THREADS
 *
 * It is no server.  Any message but WRITE is taken for a READ of FILE; a reply's header is the
 * request's.  A burst costs one epoll_wait, one recv, one preadv2 or pwritev2 a request, and one
 * sendmsg.  A READ that would wait for the disk goes to one of THREADS threads; what they have
 * read meanwhile leaves in one sendmsg too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD = 4 + 64 + 16, LONGEST = 65536, SLOTS = 512, BUFFER = 1 << 20, MOST = 1024 };

struct connection {
    int fd;
    size_t held;
    uint8_t in[BUFFER];
};

/* A request on its way; its reply's bytes are sent from here. */
struct slot {
    struct slot *next;
    struct connection *connection;
    uint64_t offset;
    uint32_t length;
    uint8_t head[HEAD];
    uint8_t data[LONGEST];
};

static int file, woken;
static struct slot *unused, *wanted, **wanted_end = &wanted, *read_by_now;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t some = PTHREAD_COND_INITIALIZER;
static struct slot *burst[SLOTS];
static int burst_count;

static uint32_t u32(const uint8_t *at) { uint32_t n; memcpy(&n, at, 4); return n; }
static uint64_t u64(const uint8_t *at) { uint64_t n; memcpy(&n, at, 8); return n; }

static void reply(struct slot *slot, const uint8_t *request, int is_read)
{
    uint8_t *head = slot->head + 4;
    memcpy(head, request, 64);
    memset(head + 8, 0, 4);                     /* Status */
    head[14] = 1, head[15] = 0, head[16] = 1;   /* Credit, Flags */
    memset(head + 64, 0, 16);
    head[64] = 17, head[66] = is_read ? 80 : 0; /* StructureSize, DataOffset */
    memcpy(head + 68, &slot->length, 4);        /* DataLength or Count */
    uint32_t size = htonl(80 + (is_read ? slot->length : 0));
    memcpy(slot->head, &size, 4);
}

static void *read_slowly(void *nothing)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!wanted)
            pthread_cond_wait(&some, &lock);
        struct slot *slot = wanted;
        if (!(wanted = slot->next))
            wanted_end = &wanted;
        pthread_mutex_unlock(&lock);
        if (pread(file, slot->data, slot->length, slot->offset) < 0)
            err(1, "pread");
        pthread_mutex_lock(&lock);
        int first = !read_by_now;
        slot->next = read_by_now, read_by_now = slot;
        pthread_mutex_unlock(&lock);
        if (first && eventfd_write(woken, 1))
            err(1, "eventfd");
    }
    return nothing;
}

static void take(struct connection *connection, const uint8_t *request)
{
    struct slot *slot = unused;
    if (!slot)
        errx(1, "more than %d requests in flight", SLOTS);
    unused = slot->next;
    int is_read = request[12] != 9;
    slot->connection = connection, slot->length = u32(request + 68), slot->offset = u64(request + 72);
    if (slot->length > LONGEST)
        errx(1, "%u bytes at once", slot->length);
    reply(slot, request, is_read);
    if (!is_read) {
        struct iovec data = { (void *)(request + request[66]), slot->length };
        if (pwritev2(file, &data, 1, slot->offset, 0) < 0)
            err(1, "pwritev2");
        slot->length = 0;
    } else {
        struct iovec into = { slot->data, slot->length };
        ssize_t count = preadv2(file, &into, 1, slot->offset, RWF_NOWAIT);
        if (count != (ssize_t)slot->length) {
            pthread_mutex_lock(&lock);
            slot->next = NULL, *wanted_end = slot, wanted_end = &slot->next;
            pthread_cond_signal(&some);
            pthread_mutex_unlock(&lock);
            return;
        }
    }
    burst[burst_count++] = slot;
}

static void send_burst(void)
{
    static struct iovec vector[2 * SLOTS];
    for (int begin = 0, end; begin < burst_count; begin = end) {
        struct msghdr message = { .msg_iov = vector };
        size_t left = 0;
        for (end = begin; end < burst_count && burst[end]->connection == burst[begin]->connection; end++) {
            vector[message.msg_iovlen++] = (struct iovec){ burst[end]->head, HEAD };
            vector[message.msg_iovlen++] = (struct iovec){ burst[end]->data, burst[end]->length };
            left += HEAD + burst[end]->length;
        }
        while (left) {
            ssize_t sent = sendmsg(burst[begin]->connection->fd, &message, MSG_NOSIGNAL);
            if (sent < 0)
                break; /* it has left */
            for (left -= sent; sent && sent >= (ssize_t)message.msg_iov->iov_len; message.msg_iovlen--)
                sent -= message.msg_iov++->iov_len;
            if (sent) {
                message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + sent;
                message.msg_iov->iov_len -= sent;
            }
        }
    }
    while (burst_count) {
        struct slot *slot = burst[--burst_count];
        slot->next = unused, unused = slot;
    }
}

static void serve(struct connection *connection)
{
    ssize_t count = recv(connection->fd, connection->in + connection->held, BUFFER - connection->held, 0);
    if (count <= 0) {
        close(connection->fd); /* the connection itself may be in threads' hands still */
        return;
    }
    size_t end = connection->held + count, at = 0, size;
    while (end - at >= 4 && end - at >= (size = 4 + ntohl(u32(connection->in + at)))) {
        take(connection, connection->in + at + 4);
        at += size;
    }
    memmove(connection->in, connection->in + at, connection->held = end - at);
    send_burst();
}

static void finish_slow(void)
{
    eventfd_t count;
    if (eventfd_read(woken, &count))
        err(1, "eventfd");
    pthread_mutex_lock(&lock);
    struct slot *slot = read_by_now;
    read_by_now = NULL;
    pthread_mutex_unlock(&lock);
    for (; slot; slot = slot->next)
        burst[burst_count++] = slot;
    send_burst();
}

int main(int count, char **words)
{
    if (count != 4)
        errx(2, "PORT FILE THREADS");
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(words[1])) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1, epoll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        err(1, "port %s", words[1]);
    if ((file = open(words[2], O_RDWR)) < 0)
        err(1, "%s", words[2]);
    woken = eventfd(0, 0);
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = calloc(1, sizeof *slot);
        slot->next = unused, unused = slot;
    }
    for (int i = atoi(words[3]); i; i--) {
        pthread_t thread;
        pthread_create(&thread, NULL, read_slowly, NULL);
    }
    struct epoll_event event = { EPOLLIN, { .ptr = NULL } }, events[MOST];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &woken;
    epoll_ctl(epoll, EPOLL_CTL_ADD, woken, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, MOST, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &woken) {
                finish_slow();
            } else if (events[i].data.ptr) {
                serve(events[i].data.ptr);
            } else {
                struct connection *connection = calloc(1, sizeof *connection);
                connection->fd = accept(listener, NULL, NULL);
                setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event.data.ptr = connection;
                epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event);
            }
        }
    }
}
