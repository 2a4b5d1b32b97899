#include "deploy/config_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* -1 and a problem where the file may not be used. */
static int open_secret(const Setting *file, Problems *problems)
{
    int fd = open(file->text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        int saved = errno;
        problems_add(problems, file->value_line, file->value_column, "%s: cannot read '%s': %s",
                     file->option->path, file->text, g_strerror(saved));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return fd;
    if (!S_ISREG(status.st_mode)) {
        problems_add(problems, file->value_line, file->value_column, "%s: '%s' is no regular file",
                     file->option->path, file->text);
    } else {
        g_autofree char *quoted = g_shell_quote(file->text);
        problems_add(problems, file->value_line, file->value_column,
                     "%s: others than its owner have rights on '%s'; run: chmod 600 %s",
                     file->option->path, file->text, quoted);
    }
    close(fd);
    return -1;
}

bool config_secret_read(const Setting *file, char *bytes, gsize size, gsize *length,
                        Problems *problems)
{
    int fd = open_secret(file, problems);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, bytes, size);
    int saved = errno;
    close(fd);
    *length = (gsize)MAX(got, 0);
    if (got < 0)
        problems_add(problems, file->value_line, file->value_column, "%s: cannot read '%s': %s",
                     file->option->path, file->text, g_strerror(saved));
    return got >= 0;
}
