#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "master/workers/conf_fd.h"
#include "master/workers/slot.h"

static int send_reload(struct supervisor *s, struct instance *i)
{
	struct ipc_reload msg = { 0 };

	return instance_send(i, IPC_RELOAD, &msg, sizeof(msg), SLICE(""),
			     s->host.conf_fd);
}

/* All that are in force: one more than needed does no harm. */
static int send_logs(struct supervisor *s, struct instance *i)
{
	int rc = 0;

	for (size_t n = 0; rc == 0 && n < s->nlogs; n++) {
		struct ipc_log msg = { .level = s->logs[n].level };

		rc = instance_send(i, IPC_LOG, &msg, sizeof(msg),
				   slice_of(s->logs[n].area), -1);
	}
	return rc;
}

static int send_drain(struct supervisor *s, struct instance *i)
{
	struct ipc_drain msg = { .grace_ms = (uint32_t)i->grace_ms };

	(void)s;
	return instance_send(i, IPC_DRAIN, &msg, sizeof(msg), SLICE(""), -1);
}

static int send_stop(struct supervisor *s, struct instance *i)
{
	struct ipc_stop msg = { .deadline_ms = (uint32_t)s->conf->stop_timeout };

	return instance_send(i, IPC_STOP, &msg, sizeof(msg), SLICE(""), -1);
}

/* In the order in which they are told. */
static const struct {
	unsigned what;
	const char *name;
	int (*send)(struct supervisor *s, struct instance *i);
} dues[] = {
	{ OWE_STOP, "stop", send_stop },
	{ OWE_RELOAD, "reload", send_reload },
	{ OWE_LOG, "log", send_logs },
	{ OWE_DRAIN, "drain", send_drain },
};

const char *dues_name(size_t n, unsigned *what_out)
{
	if (n >= ARRAY_SIZE(dues))
		return NULL;
	*what_out = dues[n].what;
	return dues[n].name;
}

unsigned dues_named(const char *name)
{
	for (size_t n = 0; n < ARRAY_SIZE(dues); n++)
		if (strcmp(dues[n].name, name) == 0)
			return dues[n].what;
	return 0;
}

/* Whatever keeps a message from being taken, the next tick tries again, until
 * the process is gone, or has closed its end, as one that exits has. */
static void pay(struct supervisor *s, struct instance *i)
{
	int rc;

	if (i->state == INSTANCE_KILLED)
		i->owed = 0;
	for (size_t n = 0; n < ARRAY_SIZE(dues) && i->owed != 0; n++) {
		if ((i->owed & dues[n].what) == 0)
			continue;
		rc = dues[n].send(s, i);
		if (rc == -EPIPE)
			i->owed = 0;
		else if (rc != 0)
			return;
		i->owed &= ~dues[n].what;
	}
}

void dues_owe(struct supervisor *s, struct instance *i, unsigned what)
{
	i->owed |= what;
	pay(s, i);
}

void dues_pay_all(struct supervisor *s)
{
	struct instance **place;

	EACH_PLACE(place, s, k)
		if (*place != NULL)
			pay(s, *place);
}

void dues_forget_logs(struct supervisor *s)
{
	for (size_t n = 0; n < s->nlogs; n++)
		free(s->logs[n].area);
	free(s->logs);
	s->logs = NULL;
	s->nlogs = 0;
}

static void owe_all(struct supervisor *s, unsigned what)
{
	struct instance **place;

	EACH_PLACE(place, s, k)
		if (*place != NULL)
			dues_owe(s, *place, what);
}

int supervisor_set_conf(struct supervisor *s, const struct conf *conf)
{
	int fd = conf_fd_make(conf);

	if (fd < 0)
		return fd;
	close(s->host.conf_fd);
	s->host.conf_fd = fd;
	s->host.run_dir = conf->run_dir;
	s->host.node = conf->node;
	s->conf = conf;
	dues_forget_logs(s);
	owe_all(s, OWE_RELOAD);
	return 0;
}

void supervisor_log(struct supervisor *s, int level, const char *area)
{
	size_t kept = 0;

	for (size_t n = 0; n < s->nlogs; n++) {
		if (strcmp(s->logs[n].area, area) == 0)
			free(s->logs[n].area);
		else
			s->logs[kept++] = s->logs[n];
	}
	s->logs = mem_realloc(s->logs, (kept + 1) * sizeof(*s->logs));
	s->logs[kept] = (struct log_order){ level, mem_strdup(area) };
	s->nlogs = kept + 1;
	owe_all(s, OWE_LOG);
}

bool supervisor_log_order(const struct supervisor *s, size_t n, int *level_out,
			  const char **area_out)
{
	if (n >= s->nlogs)
		return false;
	*level_out = s->logs[n].level;
	*area_out = s->logs[n].area;
	return true;
}
