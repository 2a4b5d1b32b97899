#include "proto/bus_file.h"
#include "proto/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 1685221238 /* "drov" */
#define FORMAT_VERSION 1
#define BUSY_TIMEOUT 10000 /* milliseconds */

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

/* The write-ahead log is moved into the file when it has 16 MiB, and cut back to that. */
static const char SETTINGS[] = "pragma synchronous = full;"
                               "pragma secure_delete = off;"
                               "pragma wal_autocheckpoint = 2048;"
                               "pragma journal_size_limit = 16777216;";
/* These are kept in the file, and can be set only before its first table. */
static const char LASTING_SETTINGS[] = "pragma page_size = 8192;"
                                       "pragma auto_vacuum = incremental;";
static const char TABLES[] =
    "create table meta (one integer primary key check (one = 1), uuid blob not null,"
    " epoch integer not null, last_sequence integer not null, last_digest integer not null);"
    "create table record (sequence integer primary key, data blob not null);"
    "pragma application_id = " TEXT(APPLICATION_ID) ";"
                                                    "pragma user_version = " TEXT(
                                                        FORMAT_VERSION) ";";

static const char OPEN_IT[] = "open it";
static const char CREATE_IT[] = "create it";

static DroverErrorCode error_class(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
    case SQLITE_DONE:  /* its one row of meta is missing */
    case SQLITE_ERROR: /* a table or column is missing: somebody changed the file */
        return DROVER_ERROR_PERSON;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return DROVER_ERROR_BUG;
    default:
        return DROVER_ERROR_RETRY;
    }
}

static const char *error_remedy(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return "free space on its file system, then start drover again";
    case SQLITE_BUSY:
        return "another process holds its lock; end that process if it hangs";
    case SQLITE_NOTADB:
        return "this file is no bus; give the migration its own bus back";
    default:
        if (error_class(code) == DROVER_ERROR_PERSON)
            return "the file is damaged; drop this migration and start it again with a new bus";
        return "look after the file and its file system, then start drover again";
    }
}

bool bus_file_fail(BusFile *file, const char *doing, GError **error)
{
    int code = sqlite3_extended_errcode(file->db);
    int system = sqlite3_system_errno(file->db);
    bool of_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN ||
                     (code & 0xff) == SQLITE_FULL;
    g_set_error(error, DROVER_ERROR, (int)error_class(code), "bus %s: cannot %s: %s%s%s; %s",
                file->path, doing, sqlite3_errmsg(file->db), of_system && system != 0 ? ": " : "",
                of_system && system != 0 ? g_strerror(system) : "", error_remedy(code));
    return false;
}

bool bus_file_run(BusFile *file, const char *sql, const char *doing, GError **error)
{
    if (sqlite3_exec(file->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return bus_file_fail(file, doing, error);
    return true;
}

void bus_file_rollback(BusFile *file)
{
    /* SQLite has rolled back by itself after some errors; a failure here leaves nothing to do. */
    if (!sqlite3_get_autocommit(file->db))
        sqlite3_exec(file->db, "rollback", NULL, NULL, NULL);
}

sqlite3_stmt *bus_file_prepare(BusFile *file, const char *sql, const char *doing, GError **error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(file->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK)
        bus_file_fail(file, doing, error);
    return statement;
}

bool bus_file_get_integer(BusFile *file, const char *sql, gint64 *value, GError **error)
{
    sqlite3_stmt *statement = bus_file_prepare(file, sql, "read it", error);
    if (!statement)
        return false;
    bool found = sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *value = sqlite3_column_int64(statement, 0);
    else
        bus_file_fail(file, "read it", error);
    sqlite3_finalize(statement);
    return found;
}

static bool fail_person(const BusFile *file, const char *what, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON, "bus %s %s", file->path, what);
    return false;
}

/* Makes the directory entry durable. */
static bool sync_directory(const BusFile *file, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(file->path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (!synced)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "bus %s: cannot make it durable: sync of directory %s: %s", file->path,
                    directory, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return synced;
}

/* The file as an empty one that only its owner can read: it will hold rows. One that exists is not
 * opened here: closing it would drop the locks that SQLite has on it for other handles. */
static bool make_file(const BusFile *file, GError **error)
{
    int fd = open(file->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || errno == EEXIST)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "bus %s: cannot create it: %s; its directory must exist and be writable",
                file->path, g_strerror(errno));
    return false;
}

/* Empty, or left so by a creation that was interrupted. */
static bool check_vacant(BusFile *file, GError **error)
{
    gint64 objects, application;
    if (!bus_file_get_integer(file, "select count(*) from sqlite_schema", &objects, error) ||
        !bus_file_get_integer(file, "pragma application_id", &application, error))
        return false;
    if (objects == 0 && application == 0)
        return true;
    return fail_person(file,
                       "cannot be created: the file exists; drop the migration that it belongs to, "
                       "or choose another path",
                       error);
}

static bool insert_meta(BusFile *file, GError **error)
{
    guint8 uuid[16];
    if (getrandom(uuid, sizeof uuid, 0) != sizeof uuid) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "bus %s: cannot give it a UUID: the system has no random bytes", file->path);
        return false;
    }
    uuid[6] = (guint8)((uuid[6] & 0x0f) | 0x40); /* RFC 4122: version 4, variant 1 */
    uuid[8] = (guint8)((uuid[8] & 0x3f) | 0x80);
    sqlite3_stmt *insert =
        bus_file_prepare(file, "insert into meta values (1, ?, 0, 0, 0)", CREATE_IT, error);
    if (!insert)
        return false;
    sqlite3_bind_blob(insert, 1, uuid, sizeof uuid, SQLITE_STATIC);
    bool inserted = sqlite3_step(insert) == SQLITE_DONE || bus_file_fail(file, CREATE_IT, error);
    sqlite3_finalize(insert);
    return inserted;
}

/* Turns WAL mode on; SQLite answers with the mode that the file then has. */
static bool set_wal_mode(BusFile *file, GError **error)
{
    sqlite3_stmt *set = bus_file_prepare(file, "pragma journal_mode = wal", CREATE_IT, error);
    if (!set)
        return false;
    bool is_wal = false;
    if (sqlite3_step(set) != SQLITE_ROW) {
        bus_file_fail(file, CREATE_IT, error);
    } else {
        is_wal = g_strcmp0((const char *)sqlite3_column_text(set, 0), "wal") == 0;
        if (!is_wal)
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                        "bus %s: its file system cannot share memory (SQLite's WAL mode); choose "
                        "a path on a local disk",
                        file->path);
    }
    sqlite3_finalize(set);
    return is_wal;
}

/* Everything that makes the file a bus is one transaction: after a kill it is a bus, or vacant. */
static bool create_bus(BusFile *file, GError **error)
{
    gint64 auto_vacuum;
    if (!check_vacant(file, error) || !bus_file_run(file, LASTING_SETTINGS, CREATE_IT, error) ||
        !set_wal_mode(file, error) || !bus_file_run(file, "begin immediate", CREATE_IT, error))
        return false;
    if (!check_vacant(file, error) || !bus_file_run(file, TABLES, CREATE_IT, error) ||
        !insert_meta(file, error) || !bus_file_run(file, "commit", CREATE_IT, error) ||
        !bus_file_get_integer(file, "pragma auto_vacuum", &auto_vacuum, error))
        return false;
    if (auto_vacuum != 2)
        return fail_person(file, "is no new file: something else wrote to it; remove it", error);
    return sync_directory(file, error);
}

static bool check_bus(BusFile *file, GError **error)
{
    gint64 application, version, rows;
    if (!bus_file_get_integer(file, "pragma application_id", &application, error) ||
        !bus_file_get_integer(file, "pragma user_version", &version, error))
        return false;
    if (application != APPLICATION_ID)
        return fail_person(file, "is no bus; give the migration its own bus back", error);
    if (version != FORMAT_VERSION)
        return fail_person(file, "has a format of another version of drover; run that one", error);
    if (!bus_file_get_integer(file, "select count(*) from meta", &rows, error))
        return false;
    if (rows != 1)
        return fail_person(file, "is damaged: it has lost its own state", error);
    return true;
}

static bool open_db(BusFile *file, const BusOptions *options, BusMode mode, GError **error)
{
    if (sqlite3_threadsafe() == 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "bus %s: this system's SQLite was built without threads; install one with",
                    file->path);
        return false;
    }
    if (mode == BUS_CREATE && !make_file(file, error))
        return false;
    if (mode != BUS_CREATE && access(file->path, F_OK) != 0 && errno == ENOENT)
        return fail_person(file,
                           "is missing; give the migration its bus back, or drop the migration and "
                           "start it again",
                           error);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(file->path, &file->db, flags, options->vfs) != SQLITE_OK)
        return bus_file_fail(file, OPEN_IT, error);
    sqlite3_busy_timeout(file->db, BUSY_TIMEOUT);
    return bus_file_run(file, SETTINGS, OPEN_IT, error);
}

bool bus_file_open(BusFile *file, const BusOptions *options, BusMode mode, GError **error)
{
    *file = (BusFile){.path = g_canonicalize_filename(options->path, NULL)};
    bool opened = open_db(file, options, mode, error) &&
                  (mode == BUS_CREATE ? create_bus(file, error) : check_bus(file, error));
    if (opened && mode == BUS_READ)
        opened = bus_file_run(file, "pragma query_only = on", OPEN_IT, error);
    if (!opened)
        bus_file_close(file);
    return opened;
}

void bus_file_close(BusFile *file)
{
    sqlite3_close(file->db);
    g_free(file->path);
    *file = (BusFile){0};
}

static guint64 size_of(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (guint64)status.st_size : 0;
}

guint64 bus_file_bytes(const BusFile *file)
{
    g_autofree char *log = g_strconcat(file->path, "-wal", NULL);
    return size_of(file->path) + size_of(log);
}

/* ---- without opening it ---- */

bool bus_file_exists(const BusOptions *options, bool *exists, GError **error)
{
    (void)error;
    *exists = g_file_test(options->path, G_FILE_TEST_EXISTS);
    return true;
}

bool bus_file_remove(const BusOptions *options, GError **error)
{
    static const char *const endings[] = {"-wal", "-shm", "-journal", ""};

    for (guint i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *path = g_strconcat(options->path, endings[i], NULL);
        if (g_unlink(path) != 0 && errno != ENOENT) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "cannot remove bus %s: %s", path,
                        g_strerror(errno));
            return false;
        }
    }
    return true;
}

bool bus_file_check(const BusOptions *options, BusNote note, void *user, GError **error)
{
    (void)error;
    g_autofree char *directory = g_path_get_dirname(options->path);
    g_autofree char *text = NULL, *remedy = NULL;
    if (access(directory, W_OK | X_OK) == 0) {
        text = g_strdup_printf("the bus is file %s", options->path);
        note(user, BUS_NOTE_PASS, "bus.path", text, NULL);
        return true;
    }
    text = g_strdup_printf("the bus cannot be written in directory %s: %s", directory,
                           g_strerror(errno));
    remedy = g_strdup_printf("mkdir -p '%s'  # writable by the user that runs drover", directory);
    note(user, BUS_NOTE_FAIL, "bus.path", text, remedy);
    return true;
}
