/*
 * The lines, in both servers' form:
 *
 *   GRANT SELECT, REPLICATION SLAVE ON *.* TO `drover`@`%` WITH GRANT OPTION
 *   GRANT SELECT (`a`, `b`), INSERT ON `shop`.`users` TO `drover`@`%`
 *   GRANT ALL PRIVILEGES ON `shop\_x`.* TO `drover`@`%`       (a pattern as that of LIKE)
 *   REVOKE SELECT ON `hr`.* FROM `drover`@`%`                 (MySQL's partial revokes)
 *   GRANT `role`@`%` TO `drover`@`%`                          (no privilege by itself)
 */
#include "schema/mysql/mysql_grants.h"

#include <string.h>

typedef struct Grant {
    bool is_revoke;
    GHashTable *privileges; /* char * */
    char *pattern;          /* of databases; NULL: all of them */
} Grant;

struct MysqlGrants {
    bool patterns;
    GPtrArray *list; /* Grant * */
};

static void grant_free(Grant *grant)
{
    g_hash_table_unref(grant->privileges);
    g_free(grant->pattern);
    g_free(grant);
}

MysqlGrants *mysql_grants_new(bool patterns)
{
    MysqlGrants *grants = g_new0(MysqlGrants, 1);
    grants->patterns = patterns;
    grants->list = g_ptr_array_new_with_free_func((GDestroyNotify)grant_free);
    return grants;
}

void mysql_grants_free(MysqlGrants *grants)
{
    if (grants == NULL)
        return;
    g_ptr_array_unref(grants->list);
    g_free(grants);
}

/* Where `word` begins outside of quoted names and parentheses; NULL. */
static const char *find_outside(const char *text, const char *word)
{
    bool quoted = false;
    int depth = 0;
    for (; *text != '\0'; text++) {
        if (*text == '`')
            quoted = !quoted;
        if (quoted)
            continue;
        if (depth == 0 && g_str_has_prefix(text, word))
            return text;
        depth += (*text == '(') - (*text == ')');
    }
    return NULL;
}

/* Privileges on single columns are not kept. */
static GHashTable *read_privileges(const char *from, const char *end)
{
    GHashTable *privileges = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *list = g_strndup(from, (gsize)(end - from));
    for (const char *item = list; item != NULL;) {
        const char *comma = find_outside(item, ",");
        char *word = comma != NULL ? g_strndup(item, (gsize)(comma - item)) : g_strdup(item);
        g_strstrip(word);
        if (strchr(word, '(') != NULL)
            g_free(word);
        else
            g_hash_table_add(privileges, word);
        item = comma != NULL ? comma + 1 : NULL;
    }
    return privileges;
}

/* The name in backticks, and what follows it; NULL where it has no end. */
static char *read_quoted(const char **text)
{
    g_autoptr(GString) name = g_string_new(NULL);
    const char *at = *text + 1;
    for (; *at != '\0' && (*at != '`' || at[1] == '`'); at++) {
        g_string_append_c(name, *at);
        at += *at == '`';
    }
    if (*at != '`')
        return NULL;
    *text = at + 1;
    return g_string_free(g_steal_pointer(&name), FALSE);
}

/* False for what is not about whole databases. */
static bool read_object(const char *object, char **pattern)
{
    *pattern = NULL;
    if (g_str_has_prefix(object, "*.* "))
        return true;
    if (*object != '`')
        return false;
    *pattern = read_quoted(&object);
    return *pattern != NULL && g_str_has_prefix(object, ".* ");
}

void mysql_grants_add(MysqlGrants *grants, const char *line)
{
    bool is_revoke = g_str_has_prefix(line, "REVOKE ");
    const char *list = strchr(line, ' ');
    const char *on = list != NULL ? find_outside(list, " ON ") : NULL;
    char *pattern = NULL;
    if ((!is_revoke && !g_str_has_prefix(line, "GRANT ")) || on == NULL ||
        !read_object(on + strlen(" ON "), &pattern)) {
        g_free(pattern);
        return;
    }
    Grant *grant = g_new0(Grant, 1);
    *grant = (Grant){is_revoke, read_privileges(list, on), pattern};
    g_ptr_array_add(grants->list, grant);
}

/* As LIKE does it: '_' is any character, '%' any run of them, a backslash takes their meaning. */
static bool is_like(const char *pattern, const char *text)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '%') {
            for (; *text != '\0'; text++)
                if (is_like(pattern + 1, text))
                    return true;
            return is_like(pattern + 1, text);
        }
        if (*text == '\0')
            return false;
        if (*pattern == '_') {
            text = g_utf8_next_char(text);
            continue;
        }
        if (*pattern == '\\' && pattern[1] != '\0')
            pattern++;
        if (*pattern != *text++)
            return false;
    }
    return *text == '\0';
}

static bool grant_covers(const MysqlGrants *grants, const Grant *grant, const char *privilege,
                         const char *database)
{
    if (!g_hash_table_contains(grant->privileges, privilege) &&
        !g_hash_table_contains(grant->privileges, "ALL PRIVILEGES"))
        return false;
    if (grant->pattern == NULL || database == NULL)
        return grant->pattern == NULL;
    return grants->patterns ? is_like(grant->pattern, database)
                            : strcmp(grant->pattern, database) == 0;
}

bool mysql_grants_has(const MysqlGrants *grants, const char *privilege, const char *database)
{
    bool everywhere = false, here = false, revoked = false;
    for (guint i = 0; i < grants->list->len; i++) {
        const Grant *grant = g_ptr_array_index(grants->list, i);
        if (!grant_covers(grants, grant, privilege, database))
            continue;
        revoked |= grant->is_revoke;
        everywhere |= !grant->is_revoke && grant->pattern == NULL;
        here |= !grant->is_revoke && grant->pattern != NULL;
    }
    return here || (everywhere && !revoked);
}
