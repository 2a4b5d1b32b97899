#include "proto/target.h"

void answer_free(Answer *answer)
{
    if (!answer)
        return;
    for (gsize i = 0; answer->values && i < (gsize)answer->n_rows * answer->n_columns; i++)
        g_free(answer->values[i]);
    g_free(answer->values);
    g_free(answer);
}

const char *answer_get(const Answer *answer, guint row, guint column)
{
    if (row >= answer->n_rows)
        return NULL;
    g_assert(column < answer->n_columns);
    return answer->values[(gsize)row * answer->n_columns + column];
}
