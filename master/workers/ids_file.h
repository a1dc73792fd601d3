/* Numbers for worker instances, none given twice on a host: a master that
 * starts again goes on where the last one on this run_dir ended. After a reboot
 * (run_dir is gone) the wall clock is ahead of what was counted to. */
#ifndef PW_IDS_FILE_H
#define PW_IDS_FILE_H

#include <stdint.h>

struct ids_file {
	int fd;		/* -1: cannot be kept; the clock alone decides */
	uint32_t next;
};

void ids_open(struct ids_file *f, const char *run_dir);
void ids_close(struct ids_file *f);
/* 1..INSTANCE_MAX, round and round. */
uint32_t ids_take(struct ids_file *f);

#endif
