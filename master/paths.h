/* Where the master's programs find things. */
#ifndef PW_PATHS_H
#define PW_PATHS_H

/* The installed configuration file, or NULL when there is none. */
const char *path_default_conf(void);
/* The worker program: PAIRWIRE_WORKER, else the one built beside this
 * program's build tree, else the installed one. A new string. */
char *path_worker(void);

#endif
