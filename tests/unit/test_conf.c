#include "config.h"	/* memfd_create */

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf_keys.h"
#include "tests/unit/conf_text.h"

Test(conf, defaults_and_what_stands_for_what)
{
	struct conf *c = load_good(GOOD);
	char host[65] = "";

	gethostname(host, 64);
	cr_assert_str_eq(c->listen, "0.0.0.0");
	cr_assert_eq(c->port, 3001);
	cr_assert_eq(c->ping_interval, 25000);
	cr_assert_eq(c->directory_stale_max, 600000);
	cr_assert_eq(c->outbox_limit, 1048576);
	cr_assert_str_eq(c->node, host);
	cr_assert_str_eq(c->control_socket, "/run/pairwire/control.sock");
	cr_assert_str_eq(c->store_url, "postgresql://h/d");
	cr_assert_str_eq(c->push_queue_url, "redis://127.0.0.1:6379/0");
	conf_free(&c);
	cr_assert_null(c);
}

Test(conf, addresses_and_origins)
{
	static const char *const good[] = {
		"trusted_proxies =", "trusted_proxies = 10.0.0.0/8,2001:db8::/32",
		"proxy_protocol_from = 192.0.2.1 , ::1", "allowed_origins =",
		"allowed_origins = *", "allowed_origins = https://a.example",
		"allowed_origins = http://localhost:8080,https://[::1]:3000",
		"allowed_origins = capacitor://localhost , https://b.example:444",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char text[256];
		struct conf *c;

		snprintf(text, sizeof(text), "[http]\n%s\n" GOOD, good[i]);
		c = load_good(text);
		conf_free(&c);
	}
}

Test(conf, values)
{
	struct conf *c = load_good(
		"\xef\xbb\xbf# comment\r\n; another\n\n"
		"[server]\n  workers=3\n  port = 0\nrun_dir = /tmp/x\n"
		"[engine]\nping_interval = 300ms\nmax_payload=64k\n"
		"outbox_limit = 2M\n[log]\nlog_level = \"debug\"\n"
		"[redis]\nredis_host = /run/my redis.sock\nredis_db = 4\n"
		"redis_password = \" p:/;#\\\"\\\\\\x41 \"\n"
		"[store]\nstore_url = mongodb://h/?a=b;c#d\n"
		"[chat]\noffline_grace = 1h\n" GOOD);

	cr_assert_eq(c->workers, 3);
	cr_assert_eq(c->port, 0);
	cr_assert_str_eq(c->control_socket, "/tmp/x/control.sock");
	cr_assert_eq(c->ping_interval, 300);
	cr_assert_eq(c->max_payload, 65536);
	cr_assert_eq(c->outbox_limit, 2097152);
	cr_assert_str_eq(c->log_level, "debug");
	cr_assert_str_eq(c->redis_password, " p:/;#\"\\A ");
	cr_assert_str_eq(c->store_url, "mongodb://h/?a=b;c#d");
	cr_assert_eq(c->offline_grace, 3600000);
	cr_assert_str_eq(c->push_queue_url,
			 "redis+unix://:%20p%3A%2F%3B%23%22%5CA%20@"
			 "/run/my%20redis.sock?db=4");
	conf_free(&c);
}

Test(conf, errors_name_the_place)
{
	static const struct {
		const char *text, *err;
	} cases[] = {
		{ "[server]\nporrt = 1\n",
		  "FILE:2: porrt: unknown key in section [server]" },
		{ "[sever]\nx = 1\n", "FILE:2: x: unknown section [sever]" },
		{ "[redis]\n\nport = 1\n",
		  "FILE:3: port: belongs in section [server]" },
		{ "port = 1\n", "FILE:1: port: belongs below the line [server]" },
		{ "pport = 1\n",
		  "FILE:1: pport: unknown key, and outside of a section" },
		{ "[server]\nport = 1\nport = 1\n",
		  "FILE:3: port: given twice, first on line 2" },
		{ "[server]\nport\n",
		  "FILE:2: expected \"key = value\" or \"[section]\"" },
		{ "[server\nport = 1\n",
		  "FILE:1: expected \"key = value\" or \"[section]\"" },
		{ "[server]\nport = 70000\n",
		  "FILE:2: port: 70000 is out of range (0 to 65535)" },
		{ "[server]\nport = 99999999999999999999\n",
		  "FILE:2: port: 99999999999999999999 is out of range (0 to "
		  "65535)" },
		{ "[server]\nport = -1\n",
		  "FILE:2: port: \"-1\" is not a whole number" },
		{ "[server]\nport =\n", "FILE:2: port: \"\" is not a whole number" },
		{ "[server]\nport = 1 ; x\n",
		  "FILE:2: port: \"1 ; x\" is not a whole number" },
		{ "[http]\ncors_credentials = maybe\n",
		  "FILE:2: cors_credentials: \"maybe\" is neither on nor off" },
		{ "[engine]\nping_interval = 25\n",
		  "FILE:2: ping_interval: 25 has no unit: write 25s for seconds "
		  "or 25ms for milliseconds" },
		{ "[engine]\nping_interval = 25 s\n",
		  "FILE:2: ping_interval: \"25 s\" is not a duration with its "
		  "unit, like 25s, 100ms, 10m or 1h" },
		{ "[engine]\nping_interval = 99ms\n",
		  "FILE:2: ping_interval: 99ms is out of range (100ms to 1h)" },
		{ "[engine]\nping_interval = 9223372036854775807h\n",
		  "FILE:2: ping_interval: 9223372036854775807h is out of range "
		  "(100ms to 1h)" },
		{ "[engine]\nmax_payload = 1K\n",
		  "FILE:2: max_payload: \"1K\" is not a size in bytes, or like "
		  "64k, 1M or 2G" },
		{ "[engine]\nmax_payload = 1G\n",
		  "FILE:2: max_payload: 1G is out of range (1k to 100M)" },
		{ "[server]\nlisten =\n", "FILE:2: listen: must not be empty" },
		{ "[server]\nlisten = a ; b\n",
		  "FILE:2: listen: a comment needs a line of its own; if ';' "
		  "belongs to the value, put the value in double quotes" },
		{ "[auth]\njwt_secret = \"abc\n",
		  "FILE:2: jwt_secret: the closing quote is missing" },
		{ "[auth]\njwt_secret = \"abc\" d\n",
		  "FILE:2: jwt_secret: text behind the closing quote (a \" "
		  "within quotes is written \\\")" },
		{ "[auth]\njwt_secret = \"\\x00\"\n",
		  "FILE:2: jwt_secret: a backslash within quotes is followed by "
		  "one of \\ \" n r t, or by x and two hex digits" },
		{ "[server]\nnode = \"a\\nb\"\n",
		  "FILE:2: node: contains a control character" },
		{ "[server]\nnode = a:b\n" GOOD,
		  "FILE:2: node: only letters, digits and . _ - are allowed" },
		{ "[server]\nadmin_listen = ::1:3002\n",
		  "FILE:2: admin_listen: must be HOST:PORT, [IPv6]:PORT, or empty" },
		{ "[log]\nlog_level = loud\n" GOOD,
		  "FILE:2: log_level: \"loud\" is not error, warning, info or "
		  "debug" },
		{ "[server]\nrun_dir = run\n" GOOD,
		  "FILE:2: run_dir: must be an absolute path" },
		{ "[store]\nstore_url = mysql://h\n" GOOD,
		  "FILE:2: store_url: must begin with mongodb://, "
		  "mongodb+srv://, postgresql:// or postgres://" },
		{ "[push]\npush_queue_url = h:9092\n" GOOD,
		  "FILE:2: push_queue_url: must begin with kafka://, redis:// "
		  "or redis+unix://" },
		{ "[http]\ntrusted_proxies = ::1, 10.0.0.0/33\n" GOOD,
		  "FILE:2: trusted_proxies: \"10.0.0.0/33\" is not an address "
		  "or a block like 10.0.0.0/8" },
		{ "[http]\nproxy_protocol_from = 10.0.0.1,\n" GOOD,
		  "FILE:2: proxy_protocol_from: \"\" is not an address or a "
		  "block like 10.0.0.0/8" },
		{ "[http]\nallowed_origins = https://a.example,b.example\n" GOOD,
		  "FILE:2: allowed_origins: \"b.example\" is not an origin like "
		  "https://app.example.com (or * alone)" },
		{ "[http]\nallowed_origins = https://a.example/\n" GOOD,
		  "FILE:2: allowed_origins: \"https://a.example/\" is not an "
		  "origin like https://app.example.com (or * alone)" },
		{ "[http]\nallowed_origins = https://a.example, *\n" GOOD,
		  "FILE:2: allowed_origins: \"*\" is not an origin like "
		  "https://app.example.com (or * alone)" },
		{ "[http]\nallowed_origins = https://a.example https://b\n" GOOD,
		  "FILE:2: allowed_origins: \"https://a.example https://b\" is "
		  "not an origin like https://app.example.com (or * alone)" },
		{ "[http]\nallowed_origins = https://a, , https://b\n" GOOD,
		  "FILE:2: allowed_origins: \"\" is not an origin like "
		  "https://app.example.com (or * alone)" },
		{ "[http]\nallowed_origins = https://\n" GOOD,
		  "FILE:2: allowed_origins: \"https://\" is not an origin like "
		  "https://app.example.com (or * alone)" },
		{ "[chat]\ncontent_max = 32k\n[engine]\nmax_payload = 4k\n" GOOD,
		  "FILE:2: content_max: is larger than max_payload: such a "
		  "message could not be received" },
		{ "[directory]\ndatabase_url = postgresql://h/d\n",
		  "FILE: jwt_secret: is not set; give the secret your app signs "
		  "its tokens with as jwt_secret in section [auth] of the file, "
		  "or in the environment as PAIRWIRE_JWT_SECRET (or a "
		  "jwt_public_key_file)" },
		{ "[auth]\njwt_secret = s\n",
		  "FILE: database_url: is not set; give "
		  "postgresql://USER:PASSWORD@HOST/DATABASE as database_url in "
		  "section [directory] of the file, or in the environment as "
		  "PAIRWIRE_DATABASE_URL" },
	};
	char err[CONF_ERR_MAX];
	struct conf *c = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(load(cases[i].text, strlen(cases[i].text), &c, err),
			     -EINVAL, "%s", cases[i].text);
		cr_expect_str_eq(err, cases[i].err);
		cr_expect_null(c);
	}
}

/* inih would cut it and take the rest for another line. */
Test(conf, long_lines)
{
	struct buf b = { 0 };
	char err[CONF_ERR_MAX];
	struct conf *c = NULL;

	buf_adds(&b, GOOD "[redis]\nredis_password = \"");
	for (int i = 0; i < 1024; i++)
		buf_adds(&b, "\\x78");
	buf_adds(&b, "\"\n");
	cr_assert_eq(load(b.p, b.len, &c, err), 0, "%s", err);
	cr_assert_eq(strlen(c->redis_password), 1024);
	conf_free(&c);

	buf_clear(&b);
	buf_adds(&b, GOOD "[redis]\nredis_password = ");
	for (int i = 0; i < 1025; i++)
		buf_addc(&b, 'x');
	cr_assert_eq(load(b.p, b.len, &c, err), -EINVAL);
	cr_assert_str_eq(err, "FILE:6: redis_password: 1025 bytes long; at most "
			 "1024 are allowed");
	for (int i = 0; i < 70000; i++)
		buf_addc(&b, 'x');
	cr_assert_eq(load(b.p, b.len, &c, err), -EINVAL);
	cr_assert_str_eq(err, "FILE:6: the line is too long");

	buf_clear(&b);
	buf_add(&b, "# a\0b\n" GOOD, sizeof("# a\0b\n" GOOD) - 1);
	cr_assert_eq(load(b.p, b.len, &c, err), -EINVAL);
	cr_assert_str_eq(err, "FILE:1: the line contains a NUL byte");
	buf_free(&b);
}

Test(conf, every_truncation_ends)
{
	static const char text[] = "[redis]\nredis_password = \"\\x41\\\"\"\n" GOOD;
	char err[CONF_ERR_MAX];

	for (size_t n = 0; n < sizeof(text); n++) {
		struct conf *c = NULL;
		int rc = load(text, n, &c, err);

		cr_expect_eq(rc == 0, c != NULL);
		cr_expect_eq(rc == 0, err[0] == '\0');
		conf_free(&c);
	}
}

Test(conf, environment_beats_the_file)
{
	char err[CONF_ERR_MAX];
	struct conf *c = NULL;

	setenv("WS_PORT", "4000", 1);
	setenv("JWT_SECRET", "\"a ; b", 1);
	setenv("MONGODB_URI", "mongodb://m/x", 1);
	c = load_good("[server]\nport = 1\n" GOOD);
	cr_assert_eq(c->port, 4000);
	cr_assert_str_eq(c->jwt_secret, "\"a ; b");
	cr_assert_str_eq(c->store_url, "mongodb://m/x");
	conf_free(&c);

	setenv("PAIRWIRE_PORT", "4001", 1);
	c = load_good(GOOD);
	cr_assert_eq(c->port, 4001);
	conf_free(&c);

	setenv("DATABASE_URL", "postgres://e/d", 1);
	cr_assert_eq(conf_load(NULL, CONF_FOR_SERVER, &c, err), 0);
	cr_assert_str_eq(c->database_url, "postgres://e/d");
	conf_free(&c);

	setenv("PAIRWIRE_PORT", "tcp://10.0.0.1:80", 1);
	cr_assert_eq(load(GOOD, strlen(GOOD), &c, err), -EINVAL);
	cr_assert_str_eq(err, "PAIRWIRE_PORT: port: \"tcp://10.0.0.1:80\" is not "
			 "a whole number");
	setenv("PAIRWIRE_PORT", "1", 1);
	setenv("MONGODB_URI", "http://secret@x", 1);
	cr_assert_eq(load(GOOD, strlen(GOOD), &c, err), -EINVAL);
	cr_assert_eq(strncmp(err, "MONGODB_URI: store_url: must begin", 34), 0);
	cr_assert_null(strstr(err, "secret"));
}

Test(conf, a_tool_reads_half_a_configuration)
{
	char err[CONF_ERR_MAX];
	struct conf *c = NULL;

	cr_assert_eq(conf_load(NULL, CONF_FOR_SERVER, &c, err), -EINVAL);
	cr_assert_eq(strncmp(err, "jwt_secret: is not set", 22), 0, "%s", err);
	cr_assert_eq(conf_load(NULL, CONF_FOR_TOOL, &c, err), 0);
	cr_assert_str_eq(c->control_socket, "/run/pairwire/control.sock");
	conf_free(&c);
	cr_assert_eq(conf_load("/nonexistent/x", CONF_FOR_SERVER, &c, err), -ENOENT);
	cr_assert_str_eq(err, "/nonexistent/x: No such file or directory");
}

Test(conf, round_trip)
{
	static const char *const secrets[] = {
		" lead", "trail ", "a;b", "a ; b", "#x", ";", "\"", "\"q\"", "\\",
		"\\x41", "[auth]", "=", "a = b", "tab\t", "line\nbreak\r", "\x01\x7f",
		"\xff\xfe", "\xef\xbb\xbf", "\xc3\xa9\xe2\x82\xac",
	};
	char err[CONF_ERR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		struct conf *c = load_good(GOOD), *back = NULL;
		struct buf b = { 0 }, again = { 0 };
		int fd = memfd_create("conf", 0);

		free(c->jwt_secret);
		c->jwt_secret = mem_strdup(secrets[i]);
		c->ping_interval = 12345;
		c->max_payload = 123457;
		conf_write(c, &b);
		cr_assert_eq(write(fd, b.p, b.len), (ssize_t)b.len);
		/* The offset is at the end; it must not matter. */
		setenv("JWT_SECRET", "not this", 1);
		cr_assert_eq(conf_read_fd(fd, &back, err), 0, "%s", err);
		unsetenv("JWT_SECRET");
		cr_expect_str_eq(back->jwt_secret, secrets[i]);
		cr_expect_eq(back->ping_interval, 12345);
		conf_write(back, &again);
		cr_expect_eq(b.len, again.len);
		cr_expect_eq(memcmp(b.p, again.p, b.len), 0);
		buf_free(&b);
		buf_free(&again);
		conf_free(&c);
		conf_free(&back);
		close(fd);
	}
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; (p = strstr(p, line)) != NULL; p++)
		if ((p == text || p[-1] == '\n') && p[n] == '\n')
			return true;
	return false;
}

/* The example: loads, has every key and no other, each at its default. */
Test(conf, example_is_complete)
{
	char err[CONF_ERR_MAX], line[256], *text = mem_zalloc(65536);
	int fd = open(CONF_EXAMPLE, O_RDONLY);
	struct conf *c = NULL;

	cr_assert_neq(fd, -1, "%s", CONF_EXAMPLE);
	cr_assert_gt(read(fd, text, 65535), 0);
	close(fd);
	for (int i = 0; i < CONF__COUNT; i++) {
		snprintf(line, sizeof(line), "%s =%s%s", conf_keys[i].key,
			 *conf_keys[i].def != '\0' ? " " : "", conf_keys[i].def);
		cr_expect(has_line(text, line), "missing: %s", line);
		snprintf(line, sizeof(line), "[%s]", conf_keys[i].section);
		cr_expect(has_line(text, line), "missing: %s", line);
		if (*conf_keys[i].env != '\0')
			cr_expect_not_null(strstr(text, conf_keys[i].env), "%s",
					   conf_keys[i].env);
	}
	setenv("JWT_SECRET", "s", 1);
	setenv("DATABASE_URL", "postgresql://h/d", 1);
	cr_assert_eq(conf_load(CONF_EXAMPLE, CONF_FOR_SERVER, &c, err), 0,
		     "%s", err);
	conf_free(&c);
	cr_assert_eq(conf_load(CONF_EXAMPLE, CONF_FOR_PUSHD, &c, err), 0,
		     "%s", err);
	conf_free(&c);
	free(text);
}

/* Defaults are within their own limits, and aliases fit conf_origin. */
Test(conf, table_is_sound)
{
	for (int i = 0; i < CONF__COUNT; i++) {
		const struct conf_key *k = &conf_keys[i];

		cr_expect_leq(k->min, k->max, "%s", k->key);
		cr_expect_lt(strlen(k->key), 40, "%s", k->key);
		cr_expect_lt(strlen(k->env), 60, "%s", k->key);
		for (int j = 0; j < i; j++)
			cr_expect_str_neq(k->key, conf_keys[j].key);
	}
}

/* Nobody ever writes to it: whoever reads again has other work. */
Test(conf, silent_pipe)
{
	char dir[] = "/tmp/pw-conf.XXXXXX", path[64], err[CONF_ERR_MAX];
	char expected[CONF_ERR_MAX];
	struct conf *c = NULL;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pipe", dir);
	snprintf(expected, sizeof(expected), "%s: nothing comes from it", path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	alarm(20);
	cr_expect_eq(conf_load(path, CONF_FOR_SERVER, &c, err), -ETIMEDOUT);
	alarm(0);
	cr_expect_str_eq(err, expected);
	unlink(path);
	rmdir(dir);
}
