/*
 * A line of /proc/locks: "1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120", where a blocked
 * waiter's line has "->" behind the number. The end may be "EOF".
 */
#include "proto/bus_holder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define WRITE_LOCK_BYTE 120

static bool covers(const char *start, const char *end)
{
    guint64 first = g_ascii_strtoull(start, NULL, 10);
    guint64 last = strcmp(end, "EOF") == 0 ? G_MAXUINT64 : g_ascii_strtoull(end, NULL, 10);
    return first <= WRITE_LOCK_BYTE && WRITE_LOCK_BYTE <= last;
}

pid_t bus_holder_parse(const char *locks, guint64 inode)
{
    g_auto(GStrv) lines = g_strsplit(locks, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        char kind[16], mode[16], access[16], start[24], end[24];
        unsigned major = 0, minor = 0;
        unsigned long long file = 0;
        int pid = 0;
        if (sscanf(*line, "%*s %15s %15s %15s %d %x:%x:%llu %23s %23s", kind, mode, access, &pid,
                   &major, &minor, &file, start, end) != 9)
            continue;
        if (strcmp(kind, "POSIX") == 0 && strcmp(access, "WRITE") == 0 && file == inode &&
            covers(start, end))
            return pid;
    }
    return 0;
}

pid_t bus_holder_find(const char *path)
{
    g_autofree char *shared = g_strconcat(path, "-shm", NULL);
    g_autofree char *locks = NULL;
    struct stat found;
    if (stat(shared, &found) != 0 || !g_file_get_contents("/proc/locks", &locks, NULL, NULL))
        return 0;
    return bus_holder_parse(locks, (guint64)found.st_ino);
}
