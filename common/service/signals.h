/* SIGTERM, SIGINT, SIGHUP, SIGUSR2 and SIGCHLD wait from main()'s first line until
 * somebody watches for them, so that a stop that comes early is an orderly one,
 * too; and from before an exec until the next program watches. */
#ifndef PW_SIGNALS_H
#define PW_SIGNALS_H

void signals_hold(void);
void signals_release(void);

#endif
