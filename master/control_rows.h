/* The commands of the control socket: X(name, arguments, how many, help).
 * Each has a function control_<name>() in the master and print_<name>() in
 * pairwirectl; pairwirectl's help is this table. */
#ifndef PW_CONTROL_ROWS_H
#define PW_CONTROL_ROWS_H

#define CONTROL_ROWS(X)                                                     \
	X(status, "", 0, "workers, clients, backends; every counter with --json") \
	X(user, "ID", 1, "the connected devices of a user, on this host")   \
	X(explain, "MESSAGE_ID", 1, "what happened to a message on this host, and when")

#endif
