/* The conformance server, in parts: echo.c (options, one process), workers.c
 * (several), engine_echo.c and socket_echo.c (what is above the protocols),
 * peers.c (clients, and what they come back for). */
#ifndef PW_ECHO_H
#define PW_ECHO_H

#include "worker/engineio/session.h"

struct loop;
struct sio_server;

struct echo_options {
	unsigned port;
	unsigned workers;
	unsigned connections_max;
	unsigned head_timeout_ms;
	struct eio_conf eio;
	bool engine;		/* Engine.IO alone */
	bool deflate;
	bool recovery;
	bool debug;
};

/* What one process serves with. */
struct echo_worker {
	uint32_t instance;
	int four, six;		/* listening sockets; six may be -1 */
	const char *run_dir;	/* NULL: the only one, no hand-over */
	int handover;		/* or -1 */
	int pid;		/* of its own process, when it has one */
};

/* echo.c: serves until SIGTERM or SIGINT. */
void echo_serve(const struct echo_options *o, const struct echo_worker *w);

/* workers.c: opens the sockets, says so, serves in one process or forks as many
 * as were asked for and waits for them. The process' exit status. */
int workers_run(const struct echo_options *o);

/* engine_echo.c: every message comes back. */
struct eio_ops engine_echo_ops(void);

/* socket_echo.c: namespaces "/" and "/custom". Once in a process. */
void socket_echo_start(struct loop *l, struct sio_server *sv, uint32_t instance,
		       bool recovery);
void socket_echo_stop(void);	/* before the loop is freed */

#endif
