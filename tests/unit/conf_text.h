/* Configurations given as text. Suite "conf" begins each test without any of
 * their variables in the environment. */
#ifndef PW_TEST_CONF_TEXT_H
#define PW_TEST_CONF_TEXT_H

#include <stddef.h>

#include "common/conf/conf.h"

/* What must be set. */
#define GOOD "[auth]\njwt_secret = s\n[directory]\ndatabase_url = postgresql://h/d\n"

/* As conf_load() for the server: loads text as a file, whose name in errors is
 * FILE. err: CONF_ERR_MAX bytes, "" when there is none. */
int load(const void *text, size_t n, struct conf **c, char *err);
/* The test fails if text is not good. */
struct conf *load_good(const char *text);

#endif
