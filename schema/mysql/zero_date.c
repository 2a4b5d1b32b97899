#include "schema/mysql/zero_date.h"

#include "proto/error.h"
#include "schema/mysql/time_text.h"
#include "schema/type_oid.h"

#include <string.h>

bool mysql_zero_date_append(const Table *table, guint32 type_oid, const char *value,
                            GByteArray *out, bool *null, GError **error)
{
    MysqlTime time;
    const char *literal = table->zero_date != NULL ? table->zero_date : "";
    *null = table->zero_dates == ZERO_DATES_NULL;
    if (*null)
        return true;
    if (table->zero_dates == ZERO_DATES_ERROR) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                    "value %.200s is no date of the calendar; zero_dates in the migration file "
                    "says what becomes of it",
                    value);
        return false;
    }
    if (mysql_time_of_text(literal, strlen(literal), &time) &&
        (type_oid == OID_DATE ? mysql_append_date(&time, out) : mysql_append_timestamp(&time, out)))
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "zero_dates: \"%s\" is no date", literal);
    return false;
}
