/* What an error of PostgreSQL says about the request. */
#ifndef PW_REFUSAL_H
#define PW_REFUSAL_H

#include "common/base/base.h"

typedef struct pg_result PGresult;

/* err and res as a pg_cb got them. True: a value given is impossible in this
 * column (SQLSTATE class 22, such as a malformed UUID or broken UTF-8), so no
 * row can have it; the request need not be repeated. */
bool refused_value(int err, const PGresult *res);
/* For log lines; never NULL. */
const char *refusal_text(const PGresult *res);

#endif
