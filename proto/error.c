#include "proto/error.h"

/* clang-format off: it would put spaces into the quark's text */
G_DEFINE_QUARK(drover - error - quark, drover_error)
/* clang-format on */

int drover_error_exit_status(const GError *error)
{
    if (error->domain != DROVER_ERROR)
        return 3;
    switch ((DroverErrorCode)error->code) {
    case DROVER_ERROR_NO:
        return 1;
    case DROVER_ERROR_USAGE:
        return 2;
    case DROVER_ERROR_RETRY:
    case DROVER_ERROR_RESTART:
        return 3;
    case DROVER_ERROR_PERSON:
    case DROVER_ERROR_DATA:
    case DROVER_ERROR_BUG:
        return 4;
    }
    return 4;
}

bool drover_error_is_retry(const GError *error)
{
    return g_error_matches(error, DROVER_ERROR, DROVER_ERROR_RETRY);
}
