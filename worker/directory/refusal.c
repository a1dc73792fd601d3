#include "worker/directory/refusal.h"

#include <errno.h>
#include <string.h>

#include <libpq-fe.h>

bool refused_value(int err, const PGresult *res)
{
	const char *state;

	if (err != -EREMOTEIO || res == NULL)
		return false;
	state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	return state != NULL && strncmp(state, "22", 2) == 0;
}

const char *refusal_text(const PGresult *res)
{
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	return text != NULL ? text : "no reason given";
}
