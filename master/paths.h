/* Where the master finds things. */
#ifndef PW_PATHS_H
#define PW_PATHS_H

/* This program's own, absolute, as it was called: a symbolic link stays one, so that
 * who is run there later is whom it leads to then. argv0: main()'s first word; what
 * has no slash is looked for in PATH. Only if that is not this program it is the
 * file that runs. To be asked for early. A new string. */
char *path_self(const char *argv0);

/* The worker program: PAIRWIRE_WORKER, else the one built beside this
 * program's build tree, else the installed one. self: path_self(). A new string. */
char *path_worker(const char *self);

#endif
