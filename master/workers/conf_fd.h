/* The effective configuration as a sealed memfd, for workers to inherit. */
#ifndef PW_CONF_FD_H
#define PW_CONF_FD_H

#include "common/base/base.h"

struct conf;

/* A new descriptor (close-on-exec) whose content can never change; or -errno. */
int conf_fd_make(const struct conf *conf) MUST_CHECK;

#endif
