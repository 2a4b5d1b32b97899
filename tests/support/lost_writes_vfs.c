#include "tests/support/lost_writes_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

/* What the disk is sure to have of one file. */
typedef struct Shadow {
    bool made_durable;
    gint64 durable_size;
    GTree *sectors; /* number (gint64 *) -> the SECTOR bytes that were there at the last sync */
} Shadow;

typedef struct LostFile {
    sqlite3_file base;
    Shadow *shadow; /* NULL for a temporary file */
    sqlite3_file *real;
} LostFile;

/* `lock` guards everything in here. */
static struct {
    pthread_mutex_t lock;
    sqlite3_vfs vfs;
    sqlite3_io_methods methods;
    GHashTable *shadows; /* path -> Shadow; NULL until the VFS is registered */
    bool cut;
    guint countdown;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static sqlite3_vfs *real_vfs(void)
{
    return disk.vfs.pAppData;
}

static sqlite3_file *real_file(sqlite3_file *file)
{
    return ((LostFile *)file)->real;
}

static int compare_numbers(gconstpointer a, gconstpointer b, gpointer user)
{
    (void)user;
    gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;
    return left < right ? -1 : left > right;
}

static Shadow *shadow_new(bool made_durable, gint64 size)
{
    Shadow *shadow = g_new0(Shadow, 1);
    shadow->made_durable = made_durable;
    shadow->durable_size = size;
    shadow->sectors = g_tree_new_full(compare_numbers, NULL, g_free, g_free);
    return shadow;
}

static void shadow_free(gpointer data)
{
    Shadow *shadow = data;
    g_tree_unref(shadow->sectors);
    g_free(shadow);
}

/* Counts one operation that changes the disk; the one that reaches zero is the last. */
static bool goes_off(void)
{
    if (disk.countdown > 0 && --disk.countdown == 0)
        disk.cut = true;
    return disk.cut;
}

/* Keeps what stands in the sectors of [from, to) unless an older write has kept it already. */
static int keep_sectors(LostFile *file, gint64 from, gint64 to)
{
    for (gint64 number = from / SECTOR; number * SECTOR < to; number++) {
        if (g_tree_lookup(file->shadow->sectors, &number))
            continue;
        guint8 *bytes = g_malloc0(SECTOR);
        int code = file->real->pMethods->xRead(file->real, bytes, SECTOR, number * SECTOR);
        if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) {
            g_free(bytes);
            return code;
        }
        g_tree_insert(file->shadow->sectors, g_memdup2(&number, sizeof number), bytes);
    }
    return SQLITE_OK;
}

static int lost_close(sqlite3_file *file)
{
    return real_file(file)->pMethods->xClose(real_file(file));
}

static int lost_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    if (lost_writes_is_cut())
        return SQLITE_IOERR_READ;
    return real_file(file)->pMethods->xRead(real_file(file), data, size, offset);
}

static int lost_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
    LostFile *file = (LostFile *)base;
    int code = SQLITE_IOERR_WRITE;
    pthread_mutex_lock(&disk.lock);
    if (!disk.cut) {
        bool last = goes_off();
        code = file->shadow ? keep_sectors(file, offset, offset + size) : SQLITE_OK;
        if (code == SQLITE_OK)
            code = file->real->pMethods->xWrite(file->real, data, size, offset);
        if (last)
            code = SQLITE_IOERR_WRITE;
    }
    pthread_mutex_unlock(&disk.lock);
    return code;
}

static int lost_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    LostFile *file = (LostFile *)base;
    int code = SQLITE_IOERR_TRUNCATE;
    pthread_mutex_lock(&disk.lock);
    if (!disk.cut) {
        bool last = goes_off();
        sqlite3_int64 old_size = 0;
        code = file->real->pMethods->xFileSize(file->real, &old_size);
        if (code == SQLITE_OK && file->shadow)
            code = keep_sectors(file, size, old_size);
        if (code == SQLITE_OK)
            code = file->real->pMethods->xTruncate(file->real, size);
        if (last)
            code = SQLITE_IOERR_TRUNCATE;
    }
    pthread_mutex_unlock(&disk.lock);
    return code;
}

static int lost_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    LostFile *file = (LostFile *)base;
    int code = SQLITE_IOERR_FSYNC;
    pthread_mutex_lock(&disk.lock);
    if (!disk.cut && !goes_off()) {
        sqlite3_int64 size = 0;
        code = file->real->pMethods->xFileSize(file->real, &size);
        if (code == SQLITE_OK && file->shadow) {
            file->shadow->made_durable = true;
            file->shadow->durable_size = size;
            g_tree_remove_all(file->shadow->sectors);
        }
    }
    pthread_mutex_unlock(&disk.lock);
    return code;
}

static int lost_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_file(file)->pMethods->xFileSize(real_file(file), size);
}

static int lost_lock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xLock(real_file(file), level);
}

static int lost_unlock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xUnlock(real_file(file), level);
}

static int lost_check_reserved_lock(sqlite3_file *file, int *reserved)
{
    return real_file(file)->pMethods->xCheckReservedLock(real_file(file), reserved);
}

static int lost_file_control(sqlite3_file *file, int operation, void *argument)
{
    return real_file(file)->pMethods->xFileControl(real_file(file), operation, argument);
}

static int lost_sector_size(sqlite3_file *file)
{
    return real_file(file)->pMethods->xSectorSize(real_file(file));
}

static int lost_device_characteristics(sqlite3_file *file)
{
    return real_file(file)->pMethods->xDeviceCharacteristics(real_file(file));
}

static int lost_shm_map(sqlite3_file *file, int region, int size, int extend,
                        void volatile **memory)
{
    return real_file(file)->pMethods->xShmMap(real_file(file), region, size, extend, memory);
}

static int lost_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_file(file)->pMethods->xShmLock(real_file(file), offset, n, flags);
}

static void lost_shm_barrier(sqlite3_file *file)
{
    real_file(file)->pMethods->xShmBarrier(real_file(file));
}

static int lost_shm_unmap(sqlite3_file *file, int delete_it)
{
    return real_file(file)->pMethods->xShmUnmap(real_file(file), delete_it);
}

/* The shadow of a path; a new one takes the file as it is for durable. */
static Shadow *shadow_of(const char *path, bool existed, LostFile *file)
{
    Shadow *shadow = g_hash_table_lookup(disk.shadows, path);
    if (!shadow) {
        sqlite3_int64 size = 0;
        file->real->pMethods->xFileSize(file->real, &size);
        shadow = shadow_new(existed, size);
        g_hash_table_insert(disk.shadows, g_strdup(path), shadow);
    }
    return shadow;
}

static int lost_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
                     int *out_flags)
{
    (void)vfs;
    LostFile *file = (LostFile *)base;
    memset(file, 0, sizeof *file);
    if (lost_writes_is_cut())
        return SQLITE_CANTOPEN;
    file->real = (sqlite3_file *)(file + 1);
    bool existed = path && access(path, F_OK) == 0;
    int code = real_vfs()->xOpen(real_vfs(), path, file->real, flags, out_flags);
    if (code != SQLITE_OK)
        return code;
    pthread_mutex_lock(&disk.lock);
    if (path)
        file->shadow = shadow_of(path, existed, file);
    file->base.pMethods = &disk.methods;
    pthread_mutex_unlock(&disk.lock);
    return SQLITE_OK;
}

static int lost_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    (void)vfs;
    (void)sync_directory;
    int code = SQLITE_IOERR_DELETE;
    pthread_mutex_lock(&disk.lock);
    if (!disk.cut && !goes_off()) {
        code = real_vfs()->xDelete(real_vfs(), path, 0);
        g_hash_table_remove(disk.shadows, path);
    }
    pthread_mutex_unlock(&disk.lock);
    return code;
}

static void register_vfs(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    disk.methods = (sqlite3_io_methods){.iVersion = 2, /* without memory mapping */
                                        .xClose = lost_close,
                                        .xRead = lost_read,
                                        .xWrite = lost_write,
                                        .xTruncate = lost_truncate,
                                        .xSync = lost_sync,
                                        .xFileSize = lost_file_size,
                                        .xLock = lost_lock,
                                        .xUnlock = lost_unlock,
                                        .xCheckReservedLock = lost_check_reserved_lock,
                                        .xFileControl = lost_file_control,
                                        .xSectorSize = lost_sector_size,
                                        .xDeviceCharacteristics = lost_device_characteristics,
                                        .xShmMap = lost_shm_map,
                                        .xShmLock = lost_shm_lock,
                                        .xShmBarrier = lost_shm_barrier,
                                        .xShmUnmap = lost_shm_unmap};
    disk.vfs = *real;
    disk.vfs.zName = "lost-writes";
    disk.vfs.pNext = NULL;
    disk.vfs.pAppData = real;
    disk.vfs.szOsFile = (int)sizeof(LostFile) + real->szOsFile;
    disk.vfs.xOpen = lost_open;
    disk.vfs.xDelete = lost_delete;
    disk.shadows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, shadow_free);
    sqlite3_vfs_register(&disk.vfs, 0);
}

const char *lost_writes_vfs(void)
{
    sqlite3_initialize();
    pthread_mutex_lock(&disk.lock);
    if (!disk.shadows)
        register_vfs();
    pthread_mutex_unlock(&disk.lock);
    return disk.vfs.zName;
}

void lost_writes_cut(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.cut = true;
    pthread_mutex_unlock(&disk.lock);
}

void lost_writes_cut_after(guint n)
{
    pthread_mutex_lock(&disk.lock);
    disk.countdown = n;
    pthread_mutex_unlock(&disk.lock);
}

bool lost_writes_is_cut(void)
{
    pthread_mutex_lock(&disk.lock);
    bool cut = disk.cut;
    pthread_mutex_unlock(&disk.lock);
    return cut;
}

typedef struct Restore {
    FILE *file;
    gint64 size;
    GRand *random;
} Restore;

static gboolean restore_sector(gpointer key, gpointer value, gpointer user)
{
    const Restore *restore = user;
    gint64 offset = *(gint64 *)key * SECTOR;
    bool kept = restore->random && g_rand_boolean(restore->random);
    if (kept || offset >= restore->size)
        return FALSE;
    gsize size = (gsize)MIN(SECTOR, restore->size - offset);
    if (fseeko(restore->file, offset, SEEK_SET) != 0 ||
        fwrite(value, 1, size, restore->file) != size)
        g_error("cannot restore a sector");
    return FALSE;
}

static void restore_file(const char *path, Shadow *shadow, GRand *random)
{
    g_autofree char *memory = g_strconcat(path, "-shm", NULL);
    unlink(memory);
    if (!shadow->made_durable) {
        unlink(path);
        return;
    }
    Restore restore = {.file = fopen(path, "r+"), .random = random};
    if (!restore.file || fseeko(restore.file, 0, SEEK_END) != 0)
        g_error("cannot restore %s", path);
    restore.size = ftello(restore.file);
    if (!random || g_rand_boolean(random))
        restore.size = shadow->durable_size;
    if (ftruncate(fileno(restore.file), restore.size) != 0)
        g_error("cannot restore %s", path);
    g_tree_foreach(shadow->sectors, restore_sector, &restore);
    if (fclose(restore.file) != 0)
        g_error("cannot restore %s", path);
}

void lost_writes_restore(GRand *random)
{
    pthread_mutex_lock(&disk.lock);
    g_autoptr(GList) paths = g_hash_table_get_keys(disk.shadows);
    paths = g_list_sort(paths, (GCompareFunc)strcmp);
    for (GList *path = paths; path; path = path->next)
        restore_file(path->data, g_hash_table_lookup(disk.shadows, path->data), random);
    g_hash_table_remove_all(disk.shadows);
    disk.cut = false;
    disk.countdown = 0;
    pthread_mutex_unlock(&disk.lock);
}
