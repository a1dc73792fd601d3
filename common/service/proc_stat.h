/* What the kernel counts of a process. */
#ifndef PW_PROC_STAT_H
#define PW_PROC_STAT_H

#include <sys/types.h>

#include "common/base/base.h"

struct proc_stat {
	int64_t cpu_us;		/* user and system, in the clock's ticks */
	int64_t rss_bytes;	/* resident, shared pages included */
};

/* From /proc/PID/stat, without blocking. 0 or -errno. */
int proc_stat_read(pid_t pid, struct proc_stat *out) MUST_CHECK;
/* The text of that file, NUL-terminated (proc(5)). 0 or -EBADMSG. */
int proc_stat_parse(const char *text, struct proc_stat *out) MUST_CHECK;

#endif
