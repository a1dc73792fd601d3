/* The effective configuration for people's eyes. */
#ifndef PW_CONF_SHOW_H
#define PW_CONF_SHOW_H

#include "common/conf/conf.h"

struct conf_line {
	const char *section;
	const char *key;
	enum conf_when when;
	bool secret;
	struct buf value;	/* as in the file */
	struct buf origin;	/* "default", "FILE:12", "environment JWT_SECRET" */
};

/* The key number n of the table, counted from 0; false: there are no more.
 * A secret's value is "(set)" or "(empty)"; that of a URL is the URL without user,
 * password and what could be one. The caller clears it with conf_line_free(). */
bool conf_line(const struct conf *c, unsigned n, struct conf_line *out);
void conf_line_free(struct conf_line *l);

/* What tokens are checked by, and whether the file that it is from has a good key,
 * the same one, by now: todo is what to do then, else it stays empty. */
void conf_token_key(const struct conf *c, struct buf *text, struct buf *todo);

/* "live", "workers", "restart", "pushd". */
const char *conf_when_name(enum conf_when when);

/* A URL without user information, without the values of its query but for a few
 * that are no secrets; *** is in their places. What is no URL is "(set)". */
void conf_mask_url(const char *url, struct buf *out);

#endif
