/* The commands of the control socket:
 *   X(name, arguments, at least, at most, who, help)
 * who: LOOK, whoever can connect; CHANGE, root and the service's own user.
 * Each has a function do_<name>() in the master (commands.c) and print_<name>()
 * in pairwirectl; pairwirectl's help, its completion and pairwirectl(1)'s test
 * are this table. */
#ifndef PW_CTL_ROWS_H
#define PW_CTL_ROWS_H

#define CTL_ROWS(X)                                                           \
	X(status, "", 0, 0, LOOK,                                             \
	  "workers, clients, backends; every counter with --json")            \
	X(top, "", 0, 0, LOOK,                                                \
	  "live view: rates, latencies, CPU time, memory")            \
	X(workers, "", 0, 0, LOOK,                                            \
	  "every worker process: its clients, time and memory")               \
	X(user, "ID", 1, 1, LOOK,                                             \
	  "the connected devices of a user, on this host")                    \
	X(disconnect, "ID", 1, 1, CHANGE,                                     \
	  "close all of a user's connections, on every host")                 \
	X(drain, "SLOT", 1, 1, CHANGE,                                        \
	  "a new worker; the old one's clients may stay")       \
	X(restart, "SLOT", 1, 1, CHANGE,                                      \
	  "a new worker; the old one's clients are let go now")     \
	X(reload, "", 0, 0, CHANGE,                                           \
	  "read the configuration again; says what has to wait")              \
	X(upgrade, "", 0, 0, CHANGE,                                          \
	  "the new program in place; no client is lost") \
	X(explain, "MESSAGE_ID", 1, 1, LOOK,                                  \
	  "what happened to a message on this host, and when")                \
	X(log, "LEVEL [AREA]", 1, 2, CHANGE,                                  \
	  "log more or less until the next reload")  \
	X(config, "", 0, 0, LOOK,                                             \
	  "the configuration, and where each value comes from")              \
	X(token, "USER", 1, 1, CHANGE,                                        \
	  "a token for this user, good for an hour: for tests")               \
	X(check, "", 0, 0, LOOK,                                              \
	  "are backends, limits and permissions as they must be")

enum ctl_who { CTL_LOOK, CTL_CHANGE };

#endif
