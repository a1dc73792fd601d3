#include "master/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"

#define BARRIER_US 5000000

/* What we were started with. */
struct passed {
	char **names;	/* NULL: none have any */
	unsigned n;
};

static int fd_of(unsigned i)
{
	return SD_LISTEN_FDS_START + (int)i;
}

static const char *name_of(const struct passed *p, unsigned i)
{
	return p->names != NULL ? p->names[i] : "";
}

/* "listen-3": true, and 3. */
static bool is_stored(const char *name, unsigned *slot_out)
{
	char again[32];

	if (sscanf(name, "listen-%u", slot_out) != 1)
		return false;
	snprintf(again, sizeof(again), "listen-%u", *slot_out);
	return strcmp(name, again) == 0;
}

static unsigned count_stored(const struct passed *p)
{
	unsigned n = 0, slot;

	for (unsigned i = 0; i < p->n; i++)
		n += is_stored(name_of(p, i), &slot);
	return n;
}

/* --- the store --- */

static void store(unsigned slot, int fd)
{
	char text[64];
	int rc;

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=listen-%u", slot);
	rc = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
	if (rc < 0)
		log_warn("systemd does not take the listening socket: %s",
			 strerror(-rc));
}

static void drop(const struct passed *p, unsigned i, const char *why)
{
	char text[64];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%.32s",
		 name_of(p, i));
	(void)sd_notify(0, text);
	close(fd_of(i));
	log_info("a stored listening socket is closed: %s name=%s", why,
		 name_of(p, i));
}

static void drop_stored(const struct passed *p, const char *why)
{
	unsigned slot;

	for (unsigned i = 0; i < p->n; i++)
		if (is_stored(name_of(p, i), &slot))
			drop(p, i, why);
}

/* --- the three ways --- */

static int activated(const struct conf *conf, unsigned workers,
		     const struct passed *p, struct listeners **out,
		     char err[LISTENER_ERR_MAX])
{
	int *fds = mem_alloc(p->n * sizeof(*fds)), rc;
	unsigned n = 0, slot;

	for (unsigned i = 0; i < p->n; i++)
		if (!is_stored(name_of(p, i), &slot))
			fds[n++] = fd_of(i);
	if (n != workers) {
		snprintf(err, LISTENER_ERR_MAX,
			 "systemd passes %u listening sockets, but there are %u "
			 "workers%s: set workers = %u, or give the socket unit %u "
			 "ListenStream= lines", n, workers,
			 conf->workers == 0 ? " (one per core)" : "", n, workers);
		rc = -EINVAL;
	} else {
		rc = listeners_take(fds, n, out, err);
	}
	free(fds);
	if (rc != 0)
		return rc;
	drop_stored(p, "a socket unit listens");
	log_info("systemd listens for us; listen and port do not count: "
		 "sockets=%u address=%s", n, listeners_name(*out));
	return 0;
}

/* Those that can be used again by their slots; the others are closed. */
static unsigned choose(const struct conf *conf, unsigned workers,
		       const struct passed *p, int *there, unsigned *port)
{
	unsigned chosen = 0, slot;

	for (unsigned i = 0; i < p->n; i++) {
		if (!is_stored(name_of(p, i), &slot))
			continue;
		if (slot >= workers || there[slot] != -1)
			drop(p, i, "there is no worker for it");
		else if (!listeners_fits(fd_of(i), conf->listen, port))
			drop(p, i, "its address is not the configured one");
		else {
			there[slot] = fd_of(i);
			chosen++;
		}
	}
	/* systemd lets go of an address before we bind it. */
	if (chosen < count_stored(p))
		(void)sd_notify_barrier(0, BARRIER_US);
	return chosen;
}

static int stored_or_opened(const struct conf *conf, unsigned workers,
			    const struct passed *p, struct listeners **out,
			    char err[LISTENER_ERR_MAX])
{
	int *there = mem_alloc(workers * sizeof(*there)), rc;
	unsigned port = (unsigned)conf->port, again;

	for (unsigned i = 0; i < workers; i++)
		there[i] = -1;
	again = choose(conf, workers, p, there, &port);
	if (again > 0) {
		log_info("listening sockets are used again: sockets=%u", again);
		rc = listeners_complete(conf->listen, port, there, workers, out,
					err);
	} else {
		rc = listeners_open(conf->listen, port, workers, out, err);
	}
	for (unsigned i = 0; rc == 0 && i < workers; i++)
		if (there[i] == -1)
			store(i, listeners_fd(*out, i));
	free(there);
	return rc;
}

int sockets_open(const struct conf *conf, unsigned workers,
		 struct listeners **out, char err[LISTENER_ERR_MAX])
{
	struct passed p = { .names = NULL };
	int n = sd_listen_fds_with_names(1, &p.names), rc;

	if (n < 0) {
		snprintf(err, LISTENER_ERR_MAX, "LISTEN_FDS: %s", strerror(-n));
		return n;
	}
	p.n = (unsigned)n;
	if (p.n > count_stored(&p))
		rc = activated(conf, workers, &p, out, err);
	else
		rc = stored_or_opened(conf, workers, &p, out, err);
	for (unsigned i = 0; p.names != NULL && i < p.n; i++)
		free(p.names[i]);
	free(p.names);
	return rc;
}
