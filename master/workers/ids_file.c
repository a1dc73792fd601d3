#include "master/workers/ids_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/protocol/ids.h"
#include "master/run_dir.h"

static void cannot_keep(struct ids_file *f, int err)
{
	log_warn("instance numbers cannot be kept in run_dir: %s%s",
		 strerror(err), run_dir_advice(err));
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}

static uint32_t stored(int fd)
{
	char text[16] = "";
	unsigned long v;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	v = strtoul(text, NULL, 10);
	return v <= INSTANCE_MAX ? (uint32_t)v : 0;
}

void ids_open(struct ids_file *f, const char *run_dir)
{
	uint32_t clock = (uint32_t)((uint64_t)time(NULL) % INSTANCE_MAX) + 1;
	char path[128];
	uint32_t last;

	snprintf(path, sizeof(path), "%s/next_instance", run_dir);
	f->next = clock;
	f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->fd == -1) {
		cannot_keep(f, errno);
		return;
	}
	last = stored(f->fd);
	/* Ahead of the clock, on the circle that the numbers go round. */
	if (last != 0 && (last + INSTANCE_MAX - clock) % INSTANCE_MAX <
				 INSTANCE_MAX / 2)
		f->next = last;
}

void ids_close(struct ids_file *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}

uint32_t ids_take(struct ids_file *f)
{
	uint32_t id = f->next;
	char text[16];
	ssize_t written;
	int n;

	f->next = id >= INSTANCE_MAX ? 1 : id + 1;
	/* Fixed width: a shorter number leaves no digits behind. */
	n = snprintf(text, sizeof(text), "%8u\n", (unsigned)f->next);
	if (f->fd == -1)
		return id;
	written = pwrite(f->fd, text, (size_t)n, 0);
	if (written != n)
		cannot_keep(f, written == -1 ? errno : ENOSPC);
	return id;
}
