#include "apply/mysql/lock.h"

#include "apply/mysql/statement.h"
#include "schema/connection_mysql.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#define PATIENCE (2 * G_USEC_PER_SEC) /* for the session of a process that has just been killed */
#define PAUSE (50 * G_TIME_SPAN_MILLISECOND)
#define LOOK_AGAIN (10 * G_TIME_SPAN_MILLISECOND)
#define TELL_AGAIN G_USEC_PER_SEC
#define TELLINGS 10
#define SHARERS 256 /* at once, of one role */
#define BADGES 1024
#define NO_SUCH_THREAD 1094
#define NOT_OUR_THREAD 1095
#define NO_PRIVILEGE 1227
#define NAME_SIZE 64

/* A family of named locks: those of a role (0 is the gate, slots follow), or badges of a kind. */
typedef struct Names {
    guint64 key;
    guint first, end;
} Names;

typedef struct RoleLock {
    Target *target;
    const Migration *migration;
    const char *role;
    RoleHold hold;
    Names names;
} RoleLock;

static guint64 hash(const char *text)
{
    return XXH3_64bits(text, strlen(text));
}

static const char *name_of(guint64 key, guint number, char *name)
{
    g_snprintf(name, NAME_SIZE, "drover:%016" G_GINT64_MODIFIER "x:%u", key, number);
    return name;
}

/* A migration's name is unique in its target: so two first runs of one migration, which do not know
 * of each other's UUID yet, ask for the same lock. */
static Names names_of_role(const Migration *migration, const char *role)
{
    g_autofree char *text = g_strdup_printf("drover/%s/%s", migration->name, role);
    return (Names){hash(text), 0, 1 + SHARERS};
}

/* The label up to the "-" in its last word. */
static Names badges_of(const char *label)
{
    const char *word = strrchr(label, ' ');
    word = word ? word : label;
    g_autofree char *kind = g_strndup(label, (gsize)(word - label) + strcspn(word, "-"));
    return (Names){hash(kind), 0, BADGES};
}

/* --- Named locks ------------------------------------------------------------------------------ */

static Answer *ask(Target *target, const char *sql, GError **error)
{
    return mysql_target_ask(target, sql, strlen(sql), error);
}

/* A session may take a lock again, and then has to release it as often: nobody here does. */
static bool try_name(Target *target, guint64 key, guint number, bool *granted, GError **error)
{
    char name[NAME_SIZE];
    g_autofree char *sql = g_strdup_printf("select get_lock('%s', 0)", name_of(key, number, name));
    g_autoptr(Answer) answer = ask(target, sql, error);
    *granted = answer && g_strcmp0(answer_get(answer, 0, 0), "1") == 0;
    return answer != NULL;
}

static bool release_name(Target *target, guint64 key, guint number, GError **error)
{
    char name[NAME_SIZE];
    g_autofree char *sql = g_strdup_printf("do release_lock('%s')", name_of(key, number, name));
    return mysql_target_run(target, sql, strlen(sql), NULL, error);
}

/* One row: a value a name, the session that holds it or null. */
static Answer *ask_names(Target *target, Names names, GError **error)
{
    g_autoptr(GString) sql = g_string_new("select ");
    char name[NAME_SIZE];
    for (guint i = names.first; i < names.end; i++)
        g_string_append_printf(sql, "%sis_used_lock('%s')", i > names.first ? ", " : "",
                               name_of(names.key, i, name));
    return ask(target, sql->str, error);
}

/* The sessions that hold names, without our own (g_ptr_array of texts), in the order of the names.
 */
static GPtrArray *other_sessions(Target *target, Names names, GError **error)
{
    g_autoptr(Answer) answer = ask_names(target, names, error);
    if (!answer)
        return NULL;
    GPtrArray *sessions = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < answer->n_columns; i++) {
        const char *session = answer_get(answer, 0, i);
        if (session && strcmp(session, target->connection_id) != 0)
            g_ptr_array_add(sessions, g_strdup(session));
    }
    return sessions;
}

/* *number: the name that this session holds; names.end where it holds none. */
static bool find_own(Target *target, Names names, guint *number, GError **error)
{
    g_autoptr(Answer) answer = ask_names(target, names, error);
    if (!answer)
        return false;
    *number = names.first;
    while (*number < names.end &&
           g_strcmp0(answer_get(answer, 0, *number - names.first), target->connection_id) != 0)
        ++*number;
    return true;
}

/* --- Ending sessions -------------------------------------------------------------------------- */

static bool fail_kill(const RoleLock *lock, const char *session, GError **error)
{
    g_autoptr(Answer) user = ask(lock->target, "select current_user()", NULL);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "session %s of the role \"%s\" is another account's and may not be ended by %s; "
                "use one account, or grant %s on *.* to it",
                session, lock->role, user ? answer_get(user, 0, 0) : "this one",
                lock->target->mariadb ? "connection admin" : "connection_admin");
    return false;
}

static bool tell_to_end(const RoleLock *lock, const char *session, GError **error)
{
    g_autofree char *sql = g_strdup_printf("kill connection %s", session);
    if (mysql_query(lock->target->mysql, sql) == 0)
        return true;
    unsigned int number = mysql_errno(lock->target->mysql);
    if (number == NO_SUCH_THREAD)
        return true;
    if (number == NOT_OUR_THREAD || number == NO_PRIVILEGE)
        return fail_kill(lock, session, error);
    return mysql_session_fail(lock->target->mysql, error);
}

static bool tell_all_to_end(const RoleLock *lock, const GPtrArray *sessions, GError **error)
{
    for (guint i = 0; i < sessions->len; i++)
        if (!tell_to_end(lock, sessions->pdata[i], error))
            return false;
    return true;
}

/* Those that hold one of the names. A lock is free once its session's transaction is undone. */
static bool end_sessions(const RoleLock *lock, Names names, GError **error)
{
    gint64 start = g_get_monotonic_time();
    for (int told = 0;; g_usleep(LOOK_AGAIN)) {
        g_autoptr(GPtrArray) sessions = other_sessions(lock->target, names, error);
        if (!sessions)
            return false;
        if (sessions->len == 0)
            return true;
        if (g_get_monotonic_time() - start < told * TELL_AGAIN)
            continue;
        if (told++ == TELLINGS) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                        "session %s of the role \"%s\" was told to end and has not done so within "
                        "%d s",
                        (const char *)sessions->pdata[0], lock->role, TELLINGS);
            return false;
        }
        if (!tell_all_to_end(lock, sessions, error))
            return false;
    }
}

static bool end_orphans(const RoleLock *lock, GError **error)
{
    g_autofree char *kind = g_strdup_printf("drover %s %s", lock->migration->name, lock->role);
    return end_sessions(lock, badges_of(kind), error);
}

/* --- Who has it ------------------------------------------------------------------------------- */

/* One row a session that has the role: role, its place in the list, session. */
static bool append_holders(Target *target, const Migration *migration, const char *role,
                           guint place, GString *rows, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(Answer) answer = ask_names(target, names_of_role(migration, role), error);
    if (!answer)
        return false;
    for (guint i = 0; i < answer->n_columns; i++) {
        const char *session = answer_get(answer, 0, i);
        if (!session || !g_hash_table_add(seen, (gpointer)session))
            continue;
        g_string_append(rows, rows->len > 0 ? " union all select " : "select ");
        mysql_session_append_literal(rows, role);
        g_string_append_printf(rows, " as role, %u as place, %s as session_id", place, session);
    }
    return true;
}

/* The leases of a role are its own and those of its sharers, role-NUMBER. */
#define HOLDERS_SQL                                                                                \
    "select r.role, e.holder, e.taken_at, e.epoch, r.session_id from (%s) r left join "            \
    "drover.lease e on e.migration = $1 and e.backend_pid = r.session_id and e.role = "            \
    "(select max(x.role) from drover.lease x where x.migration = $1 and "                          \
    "x.backend_pid = r.session_id and (x.role = r.role collate utf8mb4_bin or "                    \
    "left(x.role, char_length(r.role) + 1) = concat(r.role, '-') collate utf8mb4_bin)) "           \
    "order by r.place, e.taken_at, r.session_id"

#define NOBODY "select '' as role, 0 as place, 0 as session_id from dual where false"

static Answer *ask_holders(Target *target, const Migration *migration, const char *const *roles,
                           GError **error)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    for (guint i = 0; roles[i]; i++)
        if (!append_holders(target, migration, roles[i], i, rows, error))
            return NULL;
    g_autofree char *sql = g_strdup_printf(HOLDERS_SQL, rows->len > 0 ? rows->str : NOBODY);
    const char *const values[] = {migration->name};
    g_autoptr(GString) bound = statement_bind(sql, 1, values, error);
    return bound ? mysql_target_ask(target, bound->str, bound->len, error) : NULL;
}

Answer *mysql_target_role_holders(Target *target, const Migration *migration,
                                  const char *const *roles, GError **error)
{
    Answer *answer = ask_holders(target, migration, roles, error);
    if (!answer)
        g_prefix_error(error, "%s: ", target->label);
    return answer;
}

/* NO, and who has the lock. */
static bool refuse(const RoleLock *lock, GError **error)
{
    const char *const roles[] = {lock->role, NULL};
    g_autoptr(Answer) answer = ask_holders(lock->target, lock->migration, roles, error);
    if (!answer)
        return false;
    g_autoptr(GString) who = g_string_new(NULL);
    for (guint i = 0; i < answer->n_rows; i++) {
        const char *holder = answer_get(answer, i, 1);
        g_string_append(who, i > 0 ? ", " : "");
        if (holder)
            g_string_append_printf(who, "%s since %s (", holder, answer_get(answer, i, 2));
        g_string_append_printf(who, "session %s", answer_get(answer, i, 4));
        g_string_append(who, holder ? ")" : "");
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "the role \"%s\" of migration \"%s\" is held by %s: it is already running; if that "
                "process is half dead, --take-over ends its sessions",
                lock->role, lock->migration->name,
                who->len > 0 ? who->str : "a session that has just ended");
    return false;
}

/* --- Taking it -------------------------------------------------------------------------------- */

static Names gate_of(const RoleLock *lock)
{
    return (Names){lock->names.key, 0, 1};
}

static Names slots_of(const RoleLock *lock)
{
    return (Names){lock->names.key, 1, lock->names.end};
}

/* In the gate: nobody else begins to share the role meanwhile. */
static bool look_into_slots(const RoleLock *lock, bool end_holders, bool *granted, GError **error)
{
    if (end_holders && !end_sessions(lock, slots_of(lock), error))
        return false;
    g_autoptr(GPtrArray) sharers = other_sessions(lock->target, slots_of(lock), error);
    if (!sharers)
        return false;
    *granted = sharers->len == 0;
    return *granted || release_name(lock->target, lock->names.key, 0, error);
}

/* In the gate, which opens again. A session that shares the role already stays where it is. */
static bool take_slot(const RoleLock *lock, bool *granted, GError **error)
{
    guint slot = 0;
    if (!find_own(lock->target, slots_of(lock), &slot, error))
        return false;
    *granted = slot < lock->names.end;
    for (slot = 1; !*granted && slot < lock->names.end; slot++)
        if (!try_name(lock->target, lock->names.key, slot, granted, error))
            return false;
    return release_name(lock->target, lock->names.key, 0, error);
}

static bool pass_gate(const RoleLock *lock, bool end_holders, bool *granted, GError **error)
{
    guint own = 0;
    if (!find_own(lock->target, gate_of(lock), &own, error))
        return false;
    *granted = own == 0;
    if (!*granted && !try_name(lock->target, lock->names.key, 0, granted, error))
        return false;
    if (*granted || !end_holders)
        return true;
    return end_sessions(lock, gate_of(lock), error) &&
           try_name(lock->target, lock->names.key, 0, granted, error);
}

static bool try_lock(const RoleLock *lock, bool end_holders, bool *granted, GError **error)
{
    if (!pass_gate(lock, end_holders, granted, error))
        return false;
    if (!*granted)
        return true;
    return lock->hold == HOLD_SHARED ? take_slot(lock, granted, error)
                                     : look_into_slots(lock, end_holders, granted, error);
}

static bool take(const RoleLock *lock, bool take_over, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    bool granted = false;
    for (;; g_usleep(PAUSE)) {
        if (!try_lock(lock, take_over, &granted, error))
            return false;
        if (granted)
            return lock->hold == HOLD_SHARED || end_orphans(lock, error);
        if (g_get_monotonic_time() >= deadline)
            return refuse(lock, error);
    }
}

bool mysql_target_lock_role(Target *target, const Migration *migration, const char *role,
                            RoleHold hold, bool take_over, GError **error)
{
    RoleLock lock = {target, migration, role, hold, names_of_role(migration, role)};
    if (take(&lock, take_over, error))
        return true;
    g_prefix_error(error, "%s: ", target->label);
    return false;
}

/* --- Badges ----------------------------------------------------------------------------------- */

/* Anyone will do: it begins somewhere, so that sessions do not all ask for the same one. */
bool mysql_target_take_badge(Target *target, const char *label, GError **error)
{
    Names badges = badges_of(label);
    guint start = g_random_int() % BADGES;
    bool granted = false;
    for (guint i = 0; i < BADGES && !granted; i++)
        if (!try_name(target, badges.key, (start + i) % BADGES, &granted, error))
            return false;
    if (!granted)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "there are %d sessions \"%s\" already, and no more can be told apart", BADGES,
                    label);
    return granted;
}
