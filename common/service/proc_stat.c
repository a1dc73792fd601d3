#include "common/service/proc_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fields of proc(5), counted from 1; the second is the name, in parentheses,
 * which may itself hold spaces and parentheses. */
enum { FIELD_STATE = 3, FIELD_UTIME = 14, FIELD_STIME = 15, FIELD_RSS = 24 };

int proc_stat_parse(const char *text, struct proc_stat *out)
{
	const char *p = strrchr(text, ')');
	long long utime = 0, stime = 0;
	int field = FIELD_STATE;

	if (p == NULL)
		return -EBADMSG;
	for (p += 1; *p == ' '; field++) {
		const char *word = p + 1;
		long long n = strtoll(word, NULL, 10);

		if (field == FIELD_UTIME)
			utime = n;
		else if (field == FIELD_STIME)
			stime = n;
		if (field == FIELD_RSS && *word >= '0' && *word <= '9') {
			*out = (struct proc_stat){
				.cpu_us = (utime + stime) * 1000000 /
					  sysconf(_SC_CLK_TCK),
				.rss_bytes = n * sysconf(_SC_PAGESIZE),
			};
			return 0;
		}
		p = word + strcspn(word, " ");
	}
	return -EBADMSG;
}

int proc_stat_read(pid_t pid, struct proc_stat *out)
{
	char path[32], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EBADMSG;
	text[n] = '\0';
	return proc_stat_parse(text, out);
}
