/* What a listing has to know of each entry of a folder, without Python's lock. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LISTXATTRAT 465 /* Linux 6.13; the same number on every machine */
#define NAME_ROOM 300   /* of a component, NAME_MAX, and "/proc/self/fd/N/" before it */
#define LIST_ROOM 1024  /* few files have so many names of extended attributes */

static int lacks_listxattrat;

static ssize_t list_attributes(int folder, const char *name, char *list)
{
    if (!lacks_listxattrat) {
        ssize_t length = syscall(LISTXATTRAT, folder, name, AT_SYMLINK_NOFOLLOW, list, LIST_ROOM);
        if (length >= 0 || (errno != ENOSYS && errno != EPERM))
            return length;
        lacks_listxattrat = 1; /* or a seccomp profile refuses it */
    }
    char path[NAME_ROOM];
    if (snprintf(path, sizeof path, "/proc/self/fd/%d/%s", folder, name) >= (int)sizeof path)
        return -1;
    return llistxattr(path, list, LIST_ROOM);
}

static int has_user_attributes(int folder, const char *name)
{
    char list[LIST_ROOM];
    ssize_t length = list_attributes(folder, name, list);
    if (length < 0)
        return 1; /* nobody knows */
    for (const char *at = list; at < list + length; at += strlen(at) + 1)
        if (!strncmp(at, "user.", 5))
            return 1;
    return 0;
}

/* `names`: `count` of them, each with a NUL behind it.  `told`: -1 for one that is not there, else
   whether it has extended attributes of the user's, or may have. */
static void read_entries(
    int folder, const char *names, int count, unsigned mask, struct statx *statuses,
    signed char *told)
{
    for (int i = 0; i < count; i++, names += strlen(names) + 1) {
        if (statx(folder, names, AT_SYMLINK_NOFOLLOW, mask, &statuses[i]))
            told[i] = -1;
        else
            told[i] = (signed char)has_user_attributes(folder, names);
    }
}
