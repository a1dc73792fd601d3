/* The environment of workers: ours without what systemd says to us alone
 * (NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*). We keep it, for after an exec, too. */
#ifndef PW_WORKER_ENV_H
#define PW_WORKER_ENV_H

/* The strings are those of environ; free() the array. */
char **worker_env_new(void);

#endif
