#include "master/workers/worker_env.h"

#include <string.h>

#include "common/base/base.h"
#include "common/base/mem.h"

extern char **environ;

static bool is_ours(const char *variable)
{
	static const char *const ours[] = {
		"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
		"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=",
		"PAIRWIRE_STATE_FD=",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strncmp(variable, ours[i], strlen(ours[i])) == 0)
			return true;
	return false;
}

char **worker_env_new(void)
{
	char **env;
	size_t n = 0, kept = 0;

	while (environ[n] != NULL)
		n++;
	env = mem_alloc((n + 1) * sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (!is_ours(environ[i]))
			env[kept++] = environ[i];
	env[kept] = NULL;
	return env;
}
