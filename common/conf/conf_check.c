/* What involves more than one key. */
#define _GNU_SOURCE	/* memrchr */
#include "common/conf/conf_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/net_addr.h"

static bool begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool conf_is_postgres(const char *url)
{
	return begins(url, "postgresql://") || begins(url, "postgres://");
}

static int not_set(struct conf_reading *rd, enum conf_id id, const char *what)
{
	char env[64];
	size_t i = 0;

	for (const char *p = conf_keys[id].key; *p != '\0'; p++)
		env[i++] = *p == '_' ? '_' : (char)(*p - 'a' + 'A');
	env[i] = '\0';
	return conf_error(rd, id,
			  "is not set; give %s as %s in section [%s] of the "
			  "file, or in the environment as PAIRWIRE_%s%s", what,
			  conf_keys[id].key, conf_keys[id].section, env,
			  id == CONF_KEY_jwt_secret ?
			  " (or a jwt_public_key_file)" : "");
}

int conf_check_name(struct conf_reading *rd, enum conf_id id)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *name = *conf_str_field(rd->conf, id);

	if (name[strspn(name, chars)] != '\0')
		return conf_error(rd, id, "only letters, digits and . _ - are "
				  "allowed");
	return 0;
}

static int check_text(struct conf_reading *rd)
{
	const struct conf *c = rd->conf;
	char host[CONF_HOST_MAX];
	enum log_level level;
	unsigned port;

	if (log_level_parse(c->log_level, &level) != 0)
		return conf_error(rd, CONF_KEY_log_level,
				  "\"%.20s\" is not error, warning, info or debug",
				  c->log_level);
	if (*c->run_dir != '/')
		return conf_error(rd, CONF_KEY_run_dir,
				  "must be an absolute path");
	if (*c->control_socket != '/')
		return conf_error(rd, CONF_KEY_control_socket,
				  "must be an absolute path");
	if (conf_check_name(rd, CONF_KEY_node) != 0)
		return -EINVAL;
	if (*c->admin_listen != '\0' &&
	    conf_host_port(c->admin_listen, host, &port) != 0)
		return conf_error(rd, CONF_KEY_admin_listen,
				  "must be HOST:PORT, [IPv6]:PORT, or empty");
	return 0;
}

static bool escapes_are_whole(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' && (s.n - i < 3 ||
				      !isxdigit((unsigned char)s.p[i + 1]) ||
				      !isxdigit((unsigned char)s.p[i + 2])))
			return false;
	return true;
}

/* A password as it came out of a generator. The driver would refuse it, or
 * take half of it for a host, in every worker. */
static bool user_and_password_are_escaped(const char *url)
{
	const char *authority = strstr(url, "://") + strlen("://");
	size_t n = strcspn(authority, "/");
	size_t path = strcspn(authority + n, "?");
	const char *at = memrchr(authority, '@', n);
	struct slice user = { authority, at != NULL ? (size_t)(at - authority) : 0 };
	const char *colon = memchr(user.p, ':', user.n);

	if (memchr(authority + n, '@', path) != NULL ||	/* a '/' before it */
	    memchr(user.p, '@', user.n) != NULL)
		return false;
	if (colon != NULL && memrchr(user.p, ':', user.n) != colon)
		return false;
	return escapes_are_whole(user);
}

static int check_mongodb(struct conf_reading *rd)
{
	const char *url = rd->conf->store_url;

	if (!begins(url, "mongodb://") && !begins(url, "mongodb+srv://"))
		return conf_error(rd, CONF_KEY_store_url,
				  "must begin with mongodb://, mongodb+srv://, "
				  "postgresql:// or postgres://");
	if (!user_and_password_are_escaped(url))
		return conf_error(rd, CONF_KEY_store_url,
				  "in user, password and database name, write "
				  "%%25 for %%, %%2F for /, %%3A for : and %%40 "
				  "for @ (percent-encoding)");
	return 0;
}

static int check_backends(struct conf_reading *rd, enum conf_for whom)
{
	const struct conf *c = rd->conf;

	if (whom == CONF_FOR_SERVER && *c->jwt_secret == '\0' &&
	    *c->jwt_public_key == '\0')
		return not_set(rd, CONF_KEY_jwt_secret,
			       "the secret your app signs its tokens with");
	if (*c->database_url == '\0')
		return not_set(rd, CONF_KEY_database_url,
			       "postgresql://USER:PASSWORD@HOST/DATABASE");
	if (!conf_is_postgres(c->database_url))
		return conf_error(rd, CONF_KEY_database_url,
				  "must begin with postgresql:// or postgres://");
	if (!conf_is_postgres(c->store_url) && check_mongodb(rd) != 0)
		return -EINVAL;
	if (!begins(c->push_queue_url, "redis://") &&
	    !begins(c->push_queue_url, "redis+unix://") &&
	    !begins(c->push_queue_url, "kafka://"))
		return conf_error(rd, CONF_KEY_push_queue_url,
				  "must begin with kafka://, redis:// or "
				  "redis+unix://");
	return 0;
}

static int check_addresses(struct conf_reading *rd, enum conf_id id)
{
	struct slice bad = { 0 };
	struct net_list *l = net_list_new(*conf_str_field(rd->conf, id), &bad);

	if (l == NULL)
		return conf_error(rd, id, "\"%.*s\" is not an address or a "
				  "block like 10.0.0.0/8",
				  bad.n < 60 ? (int)bad.n : 60, bad.p);
	net_list_free(&l);
	return 0;
}

/* "https://app.example.com", "http://localhost:8080", "capacitor://localhost":
 * what a browser sends, without a path. */
static bool is_origin(const char *s, size_t n)
{
	static const char scheme[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
	static const char host[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
	size_t i = strspn(s, scheme);

	if (i == 0 || i + 3 >= n || strncmp(s + i, "://", 3) != 0)
		return false;
	i += 3;
	return i + strspn(s + i, host) >= n;
}

static int check_origins(struct conf_reading *rd)
{
	static const char space[] = " \t";
	const char *s = rd->conf->allowed_origins;

	s += strspn(s, space);
	if (*s == '\0' || strcmp(s, "*") == 0)
		return 0;
	for (;;) {
		size_t item, n;

		s += strspn(s, space);
		item = n = strcspn(s, ",");
		while (n > 0 && strchr(space, s[n - 1]) != NULL)
			n--;
		if (!is_origin(s, n))
			return conf_error(rd, CONF_KEY_allowed_origins,
					  "\"%.*s\" is not an origin like "
					  "https://app.example.com (or * alone)",
					  n < 60 ? (int)n : 60, s);
		if (s[item] == '\0')
			return 0;
		s += item + 1;
	}
}

static int check_http(struct conf_reading *rd)
{
	int rc = check_origins(rd);

	if (rc == 0)
		rc = check_addresses(rd, CONF_KEY_trusted_proxies);
	if (rc == 0)
		rc = check_addresses(rd, CONF_KEY_proxy_protocol_from);
	return rc;
}

static int check_numbers(struct conf_reading *rd)
{
	const struct conf *c = rd->conf;

	if (c->content_max > c->max_payload)
		return conf_error(rd, CONF_KEY_content_max,
				  "is larger than max_payload: such a message "
				  "could not be received");
	if (c->content_max > c->outbox_limit)
		return conf_error(rd, CONF_KEY_content_max,
				  "is larger than outbox_limit: such a message "
				  "could not be delivered");
	return 0;
}

int conf_check(struct conf_reading *rd, enum conf_for whom)
{
	int rc = check_text(rd);

	if (rc == 0)
		rc = check_backends(rd, whom);
	if (rc == 0)
		rc = check_http(rd);
	if (rc == 0)
		rc = check_numbers(rd);
	if (rc == 0 && whom == CONF_FOR_PUSHD)
		rc = conf_check_pushd(rd);
	return rc;
}
