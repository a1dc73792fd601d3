#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/conf.h"
#include "master/control/limits.h"

/* As on a host where nothing is to be done. */
static const struct limits good = {
	.descriptors = 1048576, .somaxconn = 4096, .syn_backlog = 4096,
	.syn_cookies = 0, .memory = 8ll << 30, .workers = 2, .cores = 4,
	.conf_path = "/etc/c", .conf_mode = 0640, .run_dir = "/run/p",
	.run_dir_mode = 0750, .socket = "/run/p/s", .socket_mode = 0660,
};

/* The only row that is not ok; "": all are. The rows are whole. */
static void judged(const struct limits *l, size_t rows, const char *name,
		   const char *todo)
{
	json_t *all = limits_judge(l), *one;
	size_t i, bad = 0;

	cr_expect_eq(json_array_size(all), rows, "%zu rows for %s",
		     json_array_size(all), name);
	json_array_foreach(all, i, one) {
		const char *is = json_string_value(json_object_get(one, "name"));
		const char *does = json_string_value(json_object_get(one, "todo"));
		bool ok = json_is_true(json_object_get(one, "ok"));

		cr_assert_not_null(is);
		cr_assert_not_null(does);
		cr_expect_not_null(json_string_value(json_object_get(one, "text")));
		cr_expect_eq(ok, does[0] == '\0', "%s: %s", is, does);
		if (ok)
			continue;
		bad++;
		cr_expect_str_eq(is, name);
		cr_expect_not_null(strstr(does, todo), "%s: %s", is, does);
	}
	cr_expect_eq(bad, name[0] != '\0', "%zu bad for %s", bad, name);
	json_decref(all);
}

Test(limits, what_is_to_be_done)
{
	struct limits l = good;

	judged(&l, 8, "", "");
	l.descriptors = 65535;
	judged(&l, 8, "descriptor limit", "LimitNOFILE");
	l = good;
	l.somaxconn = 128;
	judged(&l, 8, "somaxconn", "sysctl -w net.core.somaxconn=4096");
	l = good;
	l.syn_backlog = 512;
	judged(&l, 8, "tcp_max_syn_backlog", "=4096");
	l.syn_cookies = 1;
	judged(&l, 8, "", "");
	l = good;
	l.workers = 5;
	judged(&l, 8, "workers", "workers = 0");
	l = good;
	l.memory = 319ll << 20;		/* two workers need 320 MiB */
	judged(&l, 8, "memory", "1 MiB more");
	l.memory = 320ll << 20;
	judged(&l, 8, "", "");
}

Test(limits, permissions)
{
	struct limits l = good;

	l.conf_mode = 0644;
	judged(&l, 8, "configuration", "chmod o= /etc/c");
	l = good;
	l.run_dir_mode = 0755;
	judged(&l, 8, "run_dir", "chmod 0750 /run/p");
	l = good;
	l.socket_mode = 0666;
	judged(&l, 8, "control socket", "chmod 0660 /run/p/s");
}

Test(limits, what_cannot_be_known_is_left_out)
{
	struct limits l = {
		.descriptors = -1, .somaxconn = -1, .syn_backlog = -1,
		.syn_cookies = -1, .memory = -1, .workers = 1, .cores = 1,
		.conf_mode = -1, .run_dir_mode = -1, .socket_mode = -1,
	};

	judged(&l, 1, "", "");
}

Test(limits, secrets_in_a_file)
{
	static const struct {
		const char *text;
		bool has;
	} rows[] = {
		{ "", false },
		{ "[auth]\njwt_secret = x\n", true },
		{ "jwt_secret=x", true },
		{ "jwt_public_key_file = /x\njwt_public_key = x\n", false },
		{ " \tdatabase_url\t=\tpostgresql://", true },
		{ "jwt_secret =\n", false },
		{ "jwt_secret = \"\"\nport = 1\n", false },
		{ "jwt_secret =", false },
		{ "jwt_secret", false },
		{ "# jwt_secret = x\n;jwt_secret = x\n", false },
		{ "jwt_secrets = x\nnot_jwt_secret = x\n", false },
		{ "port = 1\n\n\nredis_password = y", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(limits_has_secret(rows[i].text), rows[i].has,
			     "row %zu", i);
}

/* The configuration is a pipe that nobody writes to: it is not waited for. */
Test(limits, no_file)
{
	char dir[] = "/tmp/pw-limits.XXXXXX", path[64];
	struct conf conf = { .run_dir = dir, .control_socket = path };
	struct limits l;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	alarm(5);
	limits_read(&conf, path, 1, &l);
	alarm(0);
	cr_expect_eq(l.conf_mode, -1);
	cr_expect_eq(l.run_dir_mode, 0700);
	unlink(path);
	rmdir(dir);
}
