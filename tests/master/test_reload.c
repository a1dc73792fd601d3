/* The configuration read again, log levels, the configuration shown. */
#include "tests/master/harness.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

#define ASKED "error, warning, info, debug, default\n"

/* A new file: what rig_start() wrote, but for lines of [server] and sections. */
static void rewrite(const struct rig *r, const char *server, const char *rest)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", r->dir);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "[server]\nlisten = 127.0.0.1\nworkers = 2\n"
		"admin_listen = 127.0.0.1:0\n" RIG_STUCK RIG_STOP);
	if (strstr(server, "run_dir") == NULL)
		fprintf(f, "run_dir = %s/run\n", r->dir);
	fprintf(f, "%s[auth]\njwt_secret = \"s ; x\"\n[directory]\n"
		"database_url = postgresql://h/d\n%s", server, rest);
	fclose(f);
}

#define AS_BEFORE "port = 0\nnode = test-node\n"

static void expect_ctl(const struct rig *r, const char *args, int status,
		       const char *expected)
{
	static char out[1 << 16];

	cr_expect_eq(rig_ctl(r, args, out, sizeof(out)), status, "%s", args);
	cr_expect_str_eq(out, expected, "%s: %s", args, out);
}

Test(reload, says_what_counts_when)
{
	struct rig r;

	rig_start(&r, 2, "");
	rewrite(&r, "port = 4000\nnode = test-node\ndrain_timeout = 7s\n",
		"[limits]\nmessage_rate = 77\n[redis]\nredis_host = other\n"
		"[pushd]\npush_group = g\n");
	expect_ctl(&r, "reload", 0,
		   "reloaded: drain_timeout, message_rate\n"
		   "waits for new workers (pairwirectl upgrade, or drain each "
		   "slot): redis_host\n"
		   "waits for a restart of the service: port\n"
		   "of pairwire-pushd, which says itself when it is reloaded: "
		   "push_group\n");
	cr_expect(rig_saw(&r, "log", "live=drain_timeout,message_rate "
			  "workers=redis_host restart=port pushd=push_group\n"));
	for (unsigned slot = 0; slot < 2; slot++)
		cr_expect(rig_saw(&r, "events", "reload %d drain_timeout "
				  "7000 message_rate 77 redis_host other node "
				  "test-node\n",
				  (int)rig_slot(&r, slot, "instance")));
	/* The master's own, and a worker's from now on. */
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	cr_expect(rig_saw(&r, "events", "conf 0 redis_host other\n"));
	cr_expect(rig_saw(&r, "events", "drain "));
	expect_ctl(&r, "reload", 0,
		   "waits for new workers (pairwirectl upgrade, or drain each "
		   "slot): redis_host\n"
		   "waits for a restart of the service: port\n");
	cr_assert_eq(rig_ctl(&r, "drain 1", NULL, 0), 0);
	expect_ctl(&r, "reload", 0,
		   "waits for a restart of the service: port\n");
	rig_stop(&r);
}

/* Until the last worker that has another value is gone from its slot. */
Test(reload, what_waits_is_named_until_it_has_come)
{
	static char out[1 << 16];
	struct rig r;
	json_t *root;

	rig_start(&r, 2, "");
	rewrite(&r, AS_BEFORE, "[redis]\nredis_host = other\n");
	cr_assert_eq(rig_ctl(&r, "reload", NULL, 0), 0);
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	cr_assert_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "\nworkers have an older redis_host:\n"
				  "  pairwirectl upgrade, or drain each slot, for new "
				  "workers\n"), "%s", out);
	root = rig_json(&r, "status --json");
	cr_expect_eq(json_integer_value(json_object_get(
			     json_object_get(root, "waiting"), "redis_host")), 1);
	json_decref(root);
	cr_assert_eq(rig_ctl(&r, "config", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "; changes with new workers, of which 1 has to "
				  "come yet\nredis_host = other\n"), "%s", out);
	cr_expect_null(strstr(out, "come yet\nredis_port"));

	/* Back as it was: now it is the new one that waits. */
	rewrite(&r, AS_BEFORE, "");
	expect_ctl(&r, "reload", 0, "waits for new workers (pairwirectl upgrade, or "
		   "drain each slot): redis_host\n");
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	cr_assert_eq(rig_ctl(&r, "status", out, sizeof(out)), 0);
	cr_expect_null(strstr(out, "older"), "%s", out);
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	rig_stop(&r);
}

/* --- when it counts --- */

#define WAITS_MS 20000	/* for the workers */
#define ASKED_OF "query %u {\"cmd\":\"taken\",\"args\":[\"%s\"]}\n"

/* Who revokes a key and reads "reloaded" has revoked it. */
Test(reload, is_answered_when_it_counts_in_every_worker)
{
	static const struct {
		const char *args, *what, *done;
	} t[] = {
		{ "reload", "reload", "reloaded: message_rate\n" },
		{ "log debug chat", "log", "chat: debug, until the next reload\n" },
	};
	char out[512];
	struct rig r;
	int rc;

	rig_start(&r, 2, "");
	rewrite(&r, AS_BEFORE, "[limits]\nmessage_rate = 77\n");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		int64_t since = clock_mono_ms();
		bool waits;
		json_t *root;
		FILE *f;

		rig_set(&r, "holds.1");
		f = rig_ask(&r, t[i].args);
		for (unsigned slot = 0; slot < 2; slot++)
			cr_assert(rig_saw(&r, "events", ASKED_OF, slot,
					  t[i].what));
		/* Nor does the master stand still for it. */
		root = rig_json(&r, "status --json");
		cr_expect_not_null(root);
		json_decref(root);
		waits = !rig_sees(&r, "log", "control: %s: done", t[i].args);
		rig_unset(&r, "holds.1");
		rc = rig_asked(f, out, sizeof(out));
		cr_expect(rig_sees(&r, "log", "control: %s: done", t[i].args));
		/* A machine that stood still so long: it was not to wait. */
		if (clock_mono_ms() - since > WAITS_MS)
			continue;
		cr_expect(waits, "%s", t[i].args);
		cr_expect_eq(rc, 0, "%s", out);
		cr_expect_str_eq(out, t[i].done);
	}
	/* Of what is asked about, each had come before. */
	cr_expect_eq(rig_count(&r, "events", "message_rate 77 "), 2);
	rig_stop(&r);
}

Test(reload, names_those_in_which_it_does_not_count)
{
	char out[512], expected[512];
	json_t *root;
	struct rig r;

	rig_start(&r, 2, "");
	rig_set(&r, "refuses.1");
	rewrite(&r, AS_BEFORE, "[limits]\nmessage_rate = 77\n");
	snprintf(expected, sizeof(expected), "reloaded: message_rate\n"
		 "not known to count yet in these workers; one that stands still "
		 "takes it when it goes on; reload again to be sure:\n"
		 "slot 1 (instance %d): not today\n",
		 (int)rig_slot(&r, 1, "instance"));
	expect_ctl(&r, "reload", 1, expected);
	cr_expect(rig_sees(&r, "log", "reload: not known to count in a worker: "
			   "slot=1 instance=%d reason=\"not today\"\n",
			   (int)rig_slot(&r, 1, "instance")));
	cr_expect_eq(rig_ctl(&r, "log debug chat", out, sizeof(out)), 1);
	cr_expect_not_null(strstr(out, "; say it again to be sure:\nslot 1 "),
			   "%s", out);
	cr_expect_eq(rig_ctl(&r, "log debug --json", out, sizeof(out)), 1);
	root = json_loads(out, 0, NULL);
	cr_expect_eq(json_array_size(json_object_get(root, "unanswered")), 1);
	json_decref(root);
	rig_unset(&r, "refuses.1");
	expect_ctl(&r, "reload", 0, "nothing changed\n");

	/* An earlier program: it took what came before the question. */
	rig_set(&r, "old.0");
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	rig_unset(&r, "old.0");
	/* Who comes in its place began with it. */
	rig_set(&r, "dies.0");
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	rig_unset(&r, "dies.0");
	rig_stop(&r);
}

/* It serves nobody, and is past being told. */
Test(reload, who_is_leaving_is_not_missed)
{
	struct rig r;

	rig_start(&r, 2, "");
	rig_set(&r, "lingers.0");
	cr_assert_eq(rig_ctl(&r, "drain 0", NULL, 0), 0);
	cr_assert(rig_saw(&r, "events", "leaves "));
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	expect_ctl(&r, "log debug chat", 0,
		   "chat: debug, until the next reload\n");
	rig_unset(&r, "lingers.0");
	rig_stop(&r);
}

/* It may serve before the master knows. */
Test(reload, who_starts_is_asked_too)
{
	char out[512];
	struct rig r;
	FILE *drain;

	rig_start(&r, 2, "");
	rig_set(&r, "hang.1");
	drain = rig_ask(&r, "drain 1");
	cr_assert(rig_saw(&r, "events", "hang "));
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	cr_expect_eq(rig_count(&r, "events", "query 1 {\"cmd\":\"taken\""), 2);
	rig_unset(&r, "hang.1");
	cr_expect_eq(rig_asked(drain, out, sizeof(out)), 0, "%s", out);
	rig_stop(&r);
}

Test(reload, nothing_changed)
{
	struct rig r;

	rig_start(&r, 2, "");
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	cr_expect(rig_saw(&r, "log", "nothing has changed\n"));
	rig_stop(&r);
}

Test(reload, a_bad_file_changes_nothing)
{
	char expected[256];
	struct rig r;

	rig_start(&r, 2, "");
	rewrite(&r, AS_BEFORE, "[limits]\nmessage_rate = 77\nmessage_burst = x\n");
	snprintf(expected, sizeof(expected), "pairwirectl: %s/conf:16: "
		 "message_burst: \"x\" is not a whole number\n", r.dir);
	expect_ctl(&r, "reload", 1, expected);
	cr_expect(rig_saw(&r, "log", "reload refused, nothing has changed: "));
	cr_expect_eq(rig_count(&r, "events", "reload "), 0);

	rewrite(&r, AS_BEFORE, "");
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	rig_stop(&r);
}

/* What is no UTF-8 is named all the same. */
Test(reload, a_file_in_latin_1)
{
	static char out[1 << 16];
	char expected[256];
	struct rig r;

	rig_start(&r, 2, "");
	rewrite(&r, AS_BEFORE, "[limits]\nmessage_rate = \374\n");
	snprintf(expected, sizeof(expected), "pairwirectl: %s/conf:15: "
		 "message_rate: \"?\" is not a whole number\n", r.dir);
	expect_ctl(&r, "reload", 1, expected);
	rewrite(&r, AS_BEFORE, "[redis]\nredis_host = M\374nchen\n");
	cr_assert_eq(rig_ctl(&r, "reload", NULL, 0), 0);
	cr_assert_eq(rig_ctl(&r, "config", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "\nredis_host = M?nchen\n"), "%s", out);
	/* the 40 bytes that are told end within a character */
	expect_ctl(&r, "log xüüüüüüüüüüüüüüüüüüüüü", 1,
		   "pairwirectl: \"xüüüüüüüüüüüüüüüüüüü?\" is no level; there are: "
		   ASKED);
	rig_stop(&r);
}

Test(reload, by_signal)
{
	struct rig r;

	rig_start(&r, 2, "");
	rewrite(&r, AS_BEFORE, "[limits]\nmessage_rate = 77\n");
	kill(r.master, SIGHUP);
	cr_expect(rig_saw(&r, "log", "live=message_rate\n"));
	cr_expect(rig_saw(&r, "events", "message_rate 77"));
	rig_set(&r, "refuses.0");
	kill(r.master, SIGHUP);
	cr_expect(rig_saw(&r, "log", "reload: not known to count in a worker: "
			  "slot=0 "), "only the log can say so");
	rig_unset(&r, "refuses.0");
	rewrite(&r, AS_BEFORE, "[limits]\nmessage_rate = many\n");
	kill(r.master, SIGHUP);
	cr_expect(rig_saw(&r, "log", "message_rate: \"many\" is not a whole "
			  "number\n"));
	rig_stop(&r);
}

/* Its sockets stay where they are, the cluster knows it by its name. */
Test(reload, restart_keys_keep_their_values)
{
	static char out[1 << 16];
	struct rig r;
	json_t *status;

	rig_start(&r, 2, "");
	for (int i = 0; i < 3; i++) {
		rewrite(&r, "port = 0\nnode = other\nrun_dir = /nowhere\n", "");
		expect_ctl(&r, "reload", 0, "waits for a restart of the service: "
			   "node, run_dir\n");
	}
	status = rig_json(&r, "status --json");
	cr_expect_str_eq(json_string_value(json_object_get(status, "node")),
			 "test-node");
	json_decref(status);
	cr_assert_eq(rig_ctl(&r, "restart 0", NULL, 0), 0);
	cr_expect_eq(rig_count(&r, "events", "conf_node test-node"), 3);
	cr_assert_eq(rig_ctl(&r, "config", out, sizeof(out)), 0);
	cr_expect_not_null(strstr(out, "as read at the start; it has changed "
				  "since; changes with a restart\n"
				  "node = test-node\n"));
	rig_stop(&r);
}

static int descriptors(const struct rig *r)
{
	struct dirent *e;
	char path[64];
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)r->master);
	d = opendir(path);
	cr_assert_not_null(d);
	while ((e = readdir(d)) != NULL)
		n++;
	closedir(d);
	return n;
}

Test(reload, ten_in_a_row)
{
	struct rig r;
	int before;

	rig_start(&r, 2, "");
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	before = descriptors(&r);
	for (int i = 1; i <= 10; i++) {
		char rate[64];

		snprintf(rate, sizeof(rate), "[limits]\nmessage_rate = %d\n",
			 1000 + i);
		rewrite(&r, AS_BEFORE, rate);
		expect_ctl(&r, "reload", 0, "reloaded: message_rate\n");
	}
	for (unsigned slot = 0; slot < 2; slot++)
		cr_expect(rig_saw(&r, "events", "reload %d drain_timeout "
				  "1800000 message_rate 1010",
				  (int)rig_slot(&r, slot, "instance")));
	/* Whoever asks, is gone in a moment. */
	for (int i = 0; i < 6000 && descriptors(&r) > before; i++)
		usleep(10000);
	cr_expect_leq(descriptors(&r), before);
	rig_stop(&r);
}

Test(reload, the_status_line_changes_live)
{
	struct rig r;

	rig_start(&r, 2, "[log]\nstatus_interval = 0s\n");
	rewrite(&r, AS_BEFORE, "[log]\nstatus_interval = 50ms\n");
	expect_ctl(&r, "reload", 0, "reloaded: status_interval\n");
	cr_expect(rig_saw(&r, "log", "status: connections="));
	rig_stop(&r);
}

Test(reload, not_while_stopping)
{
	struct rig r;

	rig_start(&r, 2, "");
	rig_set(&r, "deaf.0");
	kill(r.master, SIGTERM);
	cr_expect(rig_saw(&r, "log", "worker stopped: slot=1 "));
	expect_ctl(&r, "reload", 1, "pairwirectl: the master is stopping\n");
	kill(r.master, SIGTERM);
	cr_expect_eq(rig_wait(&r), 0);
	rig_remove(&r);
}

Test(reload, log_levels)
{
	static char out[4096];
	struct rig r;

	rig_start(&r, 2, "");
	expect_ctl(&r, "log debug chat", 0,
		   "chat: debug, until the next reload\n");
	for (unsigned slot = 0; slot < 2; slot++)
		cr_expect(rig_saw(&r, "events", "log %d level 7 area "
				  "\"chat\"\n",
				  (int)rig_slot(&r, slot, "instance")));
	expect_ctl(&r, "log error", 0, "all areas: error, until the next reload\n");
	expect_ctl(&r, "log default chat", 0, "chat: as configured\n");
	cr_expect(rig_saw(&r, "events", "level -1 area \"chat\"\n"));
	expect_ctl(&r, "log loud", 1, "pairwirectl: \"loud\" is no level; there "
		   "are: " ASKED);
	cr_expect_eq(rig_ctl(&r, "log debug chats", out, sizeof(out)), 1);
	cr_expect_not_null(strstr(out, "\"chats\" is no area; there are: transport, "
				  "engineio, "));
	cr_expect_eq(rig_ctl(&r, "log", NULL, 0), 2);
	/* The master's own lines: at "error" it tells of no reload. */
	expect_ctl(&r, "log error master", 0,
		   "master: error, until the next reload\n");
	expect_ctl(&r, "reload", 0, "nothing changed\n");
	cr_expect(rig_saw(&r, "log", "configuration read again"),
		  "a reload ends it");
	rig_stop(&r);
}

/* Of no secret anything is shown. */
Test(reload, config_is_shown)
{
	static char out[1 << 16];
	char expected[512];
	struct rig r;

	rig_start(&r, 2, "[redis]\nredis_password = \"q7#geheim\"\n"
		  "[store]\nstore_url = mongodb://u:q7geheim@h:1,i:2/d?w=q7geheim\n"
		  "[push]\npush_ttl = 2h\n");
	cr_assert_eq(rig_ctl(&r, "config", out, sizeof(out)), 0);
	cr_expect_null(strstr(out, "geheim"));
	cr_expect_null(strstr(out, "s ; x"));
	snprintf(expected, sizeof(expected),
		 "[redis]\n# default; changes with new workers\n"
		 "redis_host = 127.0.0.1\n"
		 "# default; changes with new workers\nredis_port = 6379\n"
		 "# %s/conf:11; changes with new workers\n"
		 "# redis_password = (set)\n", r.dir);
	cr_expect_not_null(strstr(out, expected), "%s", out);
	cr_expect_not_null(strstr(out, "\n# store_url = mongodb://***@h:1,i:2/d?"
				  "w=***\n"));
	cr_expect_not_null(strstr(out, "\n# push_queue_url = redis://***@"
				  "127.0.0.1:6379/0\n"));
	cr_expect_not_null(strstr(out, "changes with a reload\npush_ttl = 2h\n"));
	/* Of another process nothing is claimed. */
	cr_expect_not_null(strstr(out, "# default; pairwire-pushd's, which may run with "
				  "another\npushd_listen = "), "%s", out);
	cr_assert_eq(rig_ctl(&r, "config --json", out, sizeof(out)), 0);
	cr_expect_null(strstr(out, "geheim"));
	cr_expect_null(strstr(out, "s ; x"));
	cr_expect_eq(rig_count(&r, "log", "geheim"), 0);
	rig_stop(&r);
}

/* What it prints is a configuration, as it stands, but for the secrets. */
Test(reload, config_can_be_configured)
{
	static char out[1 << 16], again[1 << 16];
	char path[128], cmd[512];
	struct rig r;
	FILE *f;

	rig_start(&r, 2, "");
	cr_assert_eq(rig_ctl(&r, "config", out, sizeof(out)), 0);
	snprintf(path, sizeof(path), "%s/shown", r.dir);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(out, f);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "PAIRWIRE_JWT_SECRET=s "
		 "PAIRWIRE_DATABASE_URL=postgresql://h/d '%s' -t -c '%s' 2>&1",
		 MASTER, path);
	f = popen(cmd, "r");
	cr_assert_not_null(f);
	cr_expect_eq(rig_asked(f, again, sizeof(again)), 0, "%s", again);
	rig_stop(&r);
}
