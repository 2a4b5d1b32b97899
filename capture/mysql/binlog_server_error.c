#include "capture/mysql/binlog_server_error.h"

#include "proto/error.h"
#include "schema/connection_mysql.h"

#include <string.h>

#define ER_ACCESS_DENIED 1227
#define ER_READING_BINLOG 1236

/* Error 1236 has one number for all that can be wrong with a start; the texts of both servers. The
 * first that fits holds. */
static const struct {
    const char *text;
    DroverErrorCode code;
    const char *remedy;
} meanings[] = {
    {"same server_uuid/server_id", DROVER_ERROR_NO,
     "another replica, or another drover, streams with this server id: stop it, or give this one "
     "another id"},
    {"exceeded max_allowed_packet", DROVER_ERROR_NO,
     "raise max_allowed_packet on the source; it must hold the largest event"},
    {"max_allowed_packet", DROVER_ERROR_NO,
     "raise max_allowed_packet on the source; it must hold the largest event"},
    {"Binary log is not open", DROVER_ERROR_NO, "start the source with log_bin"},
    {"binlog truncated in the middle of event", DROVER_ERROR_RETRY,
     "the server was reading a file that is being written"},
    {"purged", DROVER_ERROR_PERSON,
     "changes between drover's position and the oldest binlog file of the source are lost to it: "
     "copy again, and keep binlogs longer (binlog_expire_logs_seconds)"},
    {"Could not find first log file", DROVER_ERROR_PERSON,
     "that file was purged, or this is another server: copy again, and keep binlogs longer "
     "(binlog_expire_logs_seconds)"},
    {"Could not find GTID state", DROVER_ERROR_PERSON,
     "that position was purged: copy again, and keep binlogs longer (binlog_expire_logs_seconds)"},
    {"more GTIDs than the", DROVER_ERROR_PERSON,
     "the server's history ends before drover's position: it was restored or failed over and lost "
     "transactions; copy again"},
    {"which is not in the", DROVER_ERROR_PERSON,
     "the server's history is another one: it was restored or failed over; copy again"},
    {"slave has diverged", DROVER_ERROR_PERSON,
     "the server's history is another one: it was restored or failed over; copy again"},
    {"anonymous transaction", DROVER_ERROR_PERSON,
     "a transaction was logged without a GTID while gtid_mode was not ON: set it ON, then copy "
     "again"},
    {"GTID_MODE", DROVER_ERROR_NO, "set gtid_mode=ON on the source"},
    {"checksum", DROVER_ERROR_PERSON, "the server's binlog file is damaged"},
    {"", DROVER_ERROR_PERSON, "the server cannot send its binlog from this position"},
};

bool binlog_server_error(const char *label, unsigned int number, const char *message,
                         GError **error)
{
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    if (number == ER_ACCESS_DENIED) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "%s: %s (error %u); the account needs: grant replication slave on *.* to it",
                    label, valid, number);
        return false;
    }
    if (number != ER_READING_BINLOG) {
        mysql_session_fail_with(number, message, error);
        g_prefix_error(error, "%s: ", label);
        return false;
    }
    gsize i = 0;
    while (!strstr(valid, meanings[i].text))
        i++;
    g_set_error(error, DROVER_ERROR, (int)meanings[i].code, "%s: %s (error %u): %s", label, valid,
                number, meanings[i].remedy);
    return false;
}
