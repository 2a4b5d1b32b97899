/*
 * Oracle's libmysqlclient: TLS where the server has it, unless told otherwise.
 *
 * Since version 9 it has nothing for mysql_native_password any more, with which accounts of MariaDB
 * and of MySQL up to 8.0 are made; so drover brings it ("Native Authentication" in the protocol's
 * documentation): the server sends 20 random bytes and a zero byte, the answer is, for a password,
 *
 *   SHA1(password) XOR SHA1(random bytes, SHA1(SHA1(password)))
 */
#include "schema/mysql/client.h"

#include <mysql/client_plugin.h>
#include <pthread.h>
#include <string.h>

#define NATIVE "mysql_native_password"
#define HASH_SIZE 20
#define RANDOM_SIZE 20

/* Of two texts behind each other. */
static void hash(const guint8 *first, gsize first_size, const guint8 *second, gsize second_size,
                 guint8 out[HASH_SIZE])
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    gsize size = HASH_SIZE;
    g_checksum_update(sum, first, (gssize)first_size);
    g_checksum_update(sum, second, (gssize)second_size);
    g_checksum_get_digest(sum, out, &size);
}

static void answer_for(const char *password, const guint8 random[RANDOM_SIZE],
                       guint8 answer[HASH_SIZE])
{
    guint8 once[HASH_SIZE], twice[HASH_SIZE];
    hash((const guint8 *)password, strlen(password), NULL, 0, once);
    hash(once, sizeof once, NULL, 0, twice);
    hash(random, RANDOM_SIZE, twice, sizeof twice, answer);
    for (guint i = 0; i < HASH_SIZE; i++)
        answer[i] ^= once[i];
}

static int authenticate(MYSQL_PLUGIN_VIO *vio, MYSQL *mysql)
{
    guint8 answer[HASH_SIZE];
    unsigned char *packet;
    if (vio->read_packet(vio, &packet) < RANDOM_SIZE)
        return CR_ERROR;
    bool has_password = mysql->passwd && mysql->passwd[0];
    if (has_password)
        answer_for(mysql->passwd, packet, answer);
    return vio->write_packet(vio, answer, has_password ? HASH_SIZE : 0) == 0 ? CR_OK : CR_ERROR;
}

static struct auth_plugin_t native = {
    .type = MYSQL_CLIENT_AUTHENTICATION_PLUGIN,
    .interface_version = MYSQL_CLIENT_AUTHENTICATION_PLUGIN_INTERFACE_VERSION,
    .name = NATIVE,
    .author = "drover",
    .desc = "accounts of MariaDB and older MySQL",
    .version = {1, 0, 0},
    .authenticate_user = authenticate,
};

/* Where the library has, or finds, its own, that is the one. */
static void register_native(void)
{
    MYSQL *mysql = mysql_init(NULL);
    g_assert(mysql);
    if (!mysql_client_find_plugin(mysql, NATIVE, MYSQL_CLIENT_AUTHENTICATION_PLUGIN) &&
        !mysql_client_register_plugin(mysql, (struct st_mysql_client_plugin *)&native))
        g_warning("%s: %s", NATIVE, mysql_error(mysql));
    mysql_close(mysql);
}

MYSQL *mysql_client_new(void)
{
    static pthread_once_t registered = PTHREAD_ONCE_INIT;
    pthread_once(&registered, register_native);
    MYSQL *mysql = mysql_init(NULL);
    g_assert(mysql);
    return mysql;
}

void mysql_client_set_tls(MYSQL *mysql, const Endpoint *endpoint, MysqlTlsTry tls)
{
    bool fetch_key = true;
    unsigned int mode = tls == MYSQL_TLS_OFF      ? SSL_MODE_DISABLED
                        : tls == MYSQL_TLS_VERIFY ? SSL_MODE_VERIFY_IDENTITY
                        : endpoint->tls_ca        ? SSL_MODE_VERIFY_CA
                                                  : SSL_MODE_REQUIRED;
    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
    /* Passwords of caching_sha2_password are told encrypted also without TLS. */
    mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &fetch_key);
    if (tls == MYSQL_TLS_OFF)
        return;
    mysql_options(mysql, MYSQL_OPT_SSL_KEY, endpoint->tls_key);
    mysql_options(mysql, MYSQL_OPT_SSL_CERT, endpoint->tls_cert);
    mysql_options(mysql, MYSQL_OPT_SSL_CA, endpoint->tls_ca);
}
