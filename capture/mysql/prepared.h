/*
 * Prepared: XA transactions of the log that were prepared and have not ended yet, with the changes
 * that become real at XA COMMIT. While there is one, a stream that is started again must read the
 * log from before it.
 */
#pragma once

#include "capture/mysql/binlog_event.h"
#include "capture/mysql/held.h"

typedef struct Prepared Prepared;

Prepared *prepared_new(void);
void prepared_free(Prepared *prepared);

/* Takes `held` over (NULL: no changes). since: the GTIDs of everything before it. PERSON where
 * there is one of that name already. */
bool prepared_add(Prepared *prepared, const char *name, Held *held, const char *since,
                  GError **error);
/* The one of that name is over: false where there is none. *held is the caller's then. */
bool prepared_take(Prepared *prepared, const char *name, Held **held);
/* Where the stream has to start; NULL where none is prepared. */
const char *prepared_since(const Prepared *prepared);

/* The name in one form for what the log has as bytes and what it has in statements:
 * "x'7831',x'',1" (g_free). NULL where the statement's is of another form. */
char *prepared_name_of_xid(const BinlogXid *xid);
char *prepared_name_of_text(const char *text);
