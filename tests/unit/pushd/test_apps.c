/* Apps: pairwire.conf, the file of apps, which sender serves a device, reload. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "pushd/apps.h"
#include "tests/unit/pushd/fake_h2_client.h"
#include "tests/unit/pushd/push_keys.h"

static struct test_key rsa, ec;
static struct loop *loop;
static struct conf *conf;
static struct apps *apps;
static const char *fcm_file, *p8_file;

static void set(char **field, const char *value)
{
	free(*field);
	*field = mem_strdup(value);
}

static const char *account_file(const char *name, const char *project)
{
	char *json = test_account_json(&rsa, project);
	const char *path = test_file(name, json);

	free(json);
	return path;
}

static void begin(void)
{
	char err[CONF_ERR_MAX];

	/* what the environment of the test says is none of ours */
	unsetenv("FIREBASE_PROJECT_ID");
	unsetenv("FIREBASE_CLIENT_EMAIL");
	unsetenv("FIREBASE_PRIVATE_KEY");
	cr_assert_eq(conf_load(NULL, CONF_FOR_TOOL, &conf, err), 0, "%s", err);
	loop = loop_new();
	rsa = test_key_rsa(2048);
	ec = test_key_ec("P-256");
	fcm_file = account_file("fcm.json", "project-1");
	p8_file = test_file("key.p8", ec.pem);
}

static void end(void)
{
	apps_free(&apps);
	cr_assert_null(apps);
	cr_assert_eq(fake_h2_clients(), 0);
	loop_free(&loop);
	conf_free(&conf);
	test_key_clear(&rsa);
	test_key_clear(&ec);
	test_dir_remove();
}

TestSuite(apps, .init = begin, .fini = end);

static void stop(void *arg)
{
	loop_stop(arg);
}

static void turn(void)
{
	struct timer t;

	timer_init(&t, loop, stop, loop);
	timer_arm(&t, 0);
	loop_run(loop);
	timer_free(&t);
}

/* @F and @P in the text are the two key files. */
static const char *apps_file(const char *text)
{
	struct buf b = { 0 };
	const char *path;

	for (const char *p = text; *p != '\0'; p++) {
		if (p[0] == '@' && (p[1] == 'F' || p[1] == 'P'))
			buf_adds(&b, *++p == 'F' ? fcm_file : p8_file);
		else
			buf_addc(&b, *p);
	}
	path = test_file("apps.ini", buf_str(&b));
	set(&conf->push_apps, path);
	buf_free(&b);
	return path;
}

static void load(void)
{
	char err[APPS_ERR_MAX] = "";

	cr_assert_eq(apps_new(loop, conf, false, &apps, err), 0, "%s", err);
}

static const char *name_for(enum provider p, const char *app,
			    const char *environment)
{
	struct device d = { .provider = p, .app = app,
			    .environment = environment };
	struct sender *s = apps_sender(apps, &d);

	cr_assert(s == NULL || sender_provider(s) == p);
	return s != NULL ? sender_name(s) : "none";
}

#define APNS_REST "apns_key_id = ABC1234567\napns_team_id = TEAM123456\n" \
	"apns_topic = com.example\n"
#define APNS "apns_key = @P\n" APNS_REST
#define FCM "fcm_credentials = @F\n"

static void conf_apns(void)
{
	set(&conf->apns_key, p8_file);
	set(&conf->apns_key_id, "ABC1234567");
	set(&conf->apns_team_id, "TEAM123456");
	set(&conf->apns_topic, "com.example");
}

Test(apps, pairwire_conf_is_one)
{
	set(&conf->fcm_credentials, fcm_file);
	conf_apns();
	load();
	cr_assert_str_eq(name_for(PROVIDER_FCM, "", ""), "fcm");
	cr_assert_str_eq(name_for(PROVIDER_FCM, "any", ""), "fcm");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", ""), "apns");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "any", "production"), "apns");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", "sandbox"), "apns sandbox");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", "development"),
			 "apns sandbox");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", "else"), "apns");
}

Test(apps, environment_of_devices_that_name_none)
{
	set(&conf->apns_environment, "sandbox");
	conf_apns();
	load();
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", ""), "apns sandbox");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", "production"), "apns");
	cr_assert_str_eq(name_for(PROVIDER_FCM, "", ""), "none");
}

Test(apps, sections)
{
	apps_file("\xef\xbb\xbf[com.b]\n" APNS "apns_environment = sandbox\n"
		  "[default]\n" FCM
		  " [com.a] \n# both\n" FCM APNS
		  "[com.example.a.very.long.name.of.an.app.that.inih.would.cut]\n"
		  FCM
		  "[com.example.a.very.long.name.of.an.app.that.inih.would.not]\n"
		  FCM);
	load();
	cr_assert_str_eq(name_for(PROVIDER_FCM, "", ""), "fcm");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", ""), "none");
	cr_assert_str_eq(name_for(PROVIDER_FCM, "unknown", ""), "fcm");
	cr_assert_str_eq(name_for(PROVIDER_FCM, "com.a", ""), "fcm com.a");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "com.a", ""), "apns com.a");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "com.a", "sandbox"),
			 "apns com.a sandbox");
	/* an app of its own, though it has no FCM */
	cr_assert_str_eq(name_for(PROVIDER_FCM, "com.b", ""), "none");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "com.b", ""),
			 "apns com.b sandbox");
	cr_assert_str_eq(name_for(PROVIDER_FCM, "com.example.a.very.long.name."
				  "of.an.app.that.inih.would.cut", ""),
			 "fcm com.example.a.very.long.name.of.an.app.that.inih."
			 "would.cut");
}

Test(apps, without_a_default_unknown_apps_have_none)
{
	apps_file("[com.a]\n" FCM);
	load();
	cr_assert_str_eq(name_for(PROVIDER_FCM, "com.a", ""), "fcm com.a");
	cr_assert_str_eq(name_for(PROVIDER_FCM, "", ""), "none");
	cr_assert_str_eq(name_for(PROVIDER_FCM, "com.b", ""), "none");
}

Test(apps, bad_files_say_where)
{
	static char long_line[4096], long_name[400];
	const struct {
		const char *text, *err;	/* behind the file's name */
	} rows[] = {
		{ "", NULL },	/* no credentials at all */
		{ "fcm_credentials = @F\n",
		  ":1: fcm_credentials: belongs below the line [app]" },
		{ "[a]\n" FCM "\n[b\n" FCM,
		  ":4: expected \"key = value\" or \"[app]\"" },
		{ "[a]\n" FCM "nonsense\n",
		  ":3: expected \"key = value\" or \"[app]\"" },
		{ "[]\n" FCM, ":1: the name of an app has 1 to 255 bytes" },
		{ long_name, ":1: the name of an app has 1 to 255 bytes" },
		{ long_line, ":2: the line is too long, or contains a NUL byte" },
		{ "[a]\n" FCM "[b]\n" FCM "[a]\n",
		  ":5: [a]: given twice, first on line 1" },
		{ "[a]\n" FCM "apns_kee = x\n", ":3: apns_kee: unknown key" },
		{ "[a]\n" FCM "# c\n" FCM,
		  ":4: fcm_credentials: given twice, first on line 2" },
		{ "[a]\nfcm_credentials =\n", ":2: fcm_credentials: is empty" },
		{ "[a]\nfcm_credentials = \"@F\"\n", ":2: fcm_credentials: no quotes "
		  "here, and comments have lines of their own" },
		{ "[a]\nfcm_credentials = @F ; mine\n", ":2: fcm_credentials: no "
		  "quotes here, and comments have lines of their own" },
		{ "[b]\n" FCM "\n[a]\n", ":4: [a]: has neither fcm_credentials nor "
		  "apns_key" },
		{ "[a]\napns_environment = sandbox\n", ":1: [a]: has neither "
		  "fcm_credentials nor apns_key" },
		{ "[a]\napns_key_id = ABC1234567\n",
		  ":2: apns_key_id: needs apns_key, too" },
		{ "[a]\n" FCM "apns_topic = com.x\n",
		  ":3: apns_topic: needs apns_key, too" },
		{ "[a]\n" FCM "apns_key = @P\napns_key_id = ABC1234567\n",
		  ":3: apns_key: needs apns_team_id, too" },
		{ "[a]\n" APNS "apns_environment = test\n",
		  ":6: apns_environment: is neither production nor sandbox" },
		{ "[a]\n\nfcm_credentials = /nowhere\n", ":3: fcm_credentials: "
		  "/nowhere: No such file or directory" },
		{ "[a]\nfcm_credentials = /tmp\n",
		  ":2: fcm_credentials: /tmp: is not a regular file" },
		{ "[a]\napns_key = /nowhere\n" APNS_REST,
		  ":2: apns_key: /nowhere: No such file or directory" },
	};

	memset(long_line, 'x', sizeof(long_line) - 1);
	memcpy(long_line, "[a]\nfcm_credentials = ", 22);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[0] = '[';
	memcpy(long_name + sizeof(long_name) - 3, "]\n", 2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = apps_file(rows[i].text);
		char err[APPS_ERR_MAX] = "", want[512];

		snprintf(want, sizeof(want), "%s%s", path, rows[i].err);
		cr_assert_lt(apps_new(loop, conf, false, &apps, err), 0,
			     "row %zu", i);
		cr_assert_str_eq(err, rows[i].err != NULL ? want :
			"fcm_credentials: no credentials at all: neither this, "
			"nor apns_key, nor push_apps", "row %zu: %s", i, err);
		cr_assert_null(apps);
		cr_assert_eq(fake_h2_clients(), 0);
	}
}

Test(apps, bad_keys_say_where_and_quote_nothing)
{
	const char *bad_p8 = test_file("bad.p8", "-----BEGIN PRIVATE KEY-----\n"
				       "SECRET\n-----END PRIVATE KEY-----\n");
	const char *bad_fcm = test_file("bad.json", "{\"type\":\"service_account\","
		"\"project_id\":\"p\",\"client_email\":\"e@x\","
		"\"private_key\":\"SECRET\"}");
	const struct {
		const char *format, *file, *err;
	} rows[] = {
		{ "[a]\nfcm_credentials = %s\n", bad_fcm,
		  ":2: fcm_credentials: %s: private_key is not a private key in PEM" },
		{ "[a]\nfcm_credentials = %s\n", p8_file,
		  ":2: fcm_credentials: %s: is not JSON (line 1)" },
		{ "[a]\n" APNS_REST "apns_key = %s\n", bad_p8,
		  ":5: apns_key: %s: the key is not a private key in PEM" },
		{ "[a]\n" APNS_REST "apns_key = %s\n", fcm_file,
		  ":5: apns_key: %s: the key is not a private key in PEM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[1024], tail[512], want[1024], err[APPS_ERR_MAX] = "";
		const char *path;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), rows[i].format, rows[i].file);
		snprintf(tail, sizeof(tail), rows[i].err, rows[i].file);
#pragma GCC diagnostic pop
		path = apps_file(text);
		snprintf(want, sizeof(want), "%s%s", path, tail);
		cr_assert_eq(apps_new(loop, conf, false, &apps, err), -EINVAL);
		cr_assert_str_eq(err, want, "row %zu: %s", i, err);
	}
}

Test(apps, bad_values_of_pairwire_conf)
{
	char escaped[4096];
	size_t n = 0;
	const struct {
		char **field;
		const char *value, *err;
	} rows[] = {
		{ &conf->fcm_credentials, "/nowhere",
		  "fcm_credentials: /nowhere: No such file or directory" },
		{ &conf->apns_topic, "com.x", "apns_topic: needs apns_key, too" },
		{ &conf->apns_environment, "x",
		  "apns_environment: is neither production nor sandbox" },
		{ &conf->push_apps, "/nowhere", "/nowhere: No such file or "
		  "directory" },
		{ &conf->firebase_project_id, "",
		  "firebase_project_id: is no project's id" },
		{ &conf->firebase_client_email, "",
		  "firebase_client_email: is no account's address" },
		{ &conf->firebase_private_key, "",
		  "firebase_private_key: is empty" },
		{ &conf->firebase_private_key, "SECRET",
		  "firebase_private_key: is not a private key in PEM" },
		{ &conf->google_token_url, "http://x",
		  "google_token_url: is no https:// URL" },
		{ &conf->fcm_url, "http://x", "http://x is no https:// URL" },
	};

	for (const char *p = rsa.pem; *p != '\0'; p++) {
		if (*p == '\n') {
			escaped[n++] = '\\';
			escaped[n++] = 'n';
		} else {
			escaped[n++] = *p;
		}
	}
	escaped[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *was = mem_strdup(*rows[i].field), err[APPS_ERR_MAX] = "";

		set(&conf->firebase_project_id, "p-1");
		set(&conf->firebase_client_email, "e@x");
		set(&conf->firebase_private_key, escaped);
		set(rows[i].field, rows[i].value);
		cr_assert_lt(apps_new(loop, conf, false, &apps, err), 0);
		cr_assert_str_eq(err, rows[i].err, "row %zu: %s", i, err);
		set(rows[i].field, was);
		free(was);
	}
	/* and these three are good */
	set(&conf->firebase_project_id, "p-1");
	set(&conf->firebase_client_email, "e@x");
	set(&conf->firebase_private_key, escaped);
	load();
	cr_assert_str_eq(name_for(PROVIDER_FCM, "", ""), "fcm");
}

/* It may be there at the next start. */
Test(apps, files_that_are_not_there)
{
	char err[APPS_ERR_MAX];

	conf_apns();
	set(&conf->push_ca_file, "/nowhere");
	cr_assert_eq(apps_new(loop, conf, false, &apps, err), -ENOENT);
	cr_assert_not_null(strstr(err, "/nowhere"), "%s", err);
	set(&conf->push_ca_file, "");
	set(&conf->apns_key, "/nowhere");
	cr_assert_eq(apps_new(loop, conf, false, &apps, err), -ENOENT);
}

Test(apps, one_default_only)
{
	const char *path = apps_file("[default]\n" FCM);
	char err[APPS_ERR_MAX], want[512];

	conf_apns();
	cr_assert_eq(apps_new(loop, conf, false, &apps, err), -EINVAL);
	snprintf(want, sizeof(want), "%s:1: [default]: there is one already, in "
		 "pairwire.conf", path);
	cr_assert_str_eq(err, want);
}

static void count(void *arg, struct sender *s)
{
	cr_assert_not_null(sender_name(s));
	(*(size_t *)arg)++;
}

static bool is_among(void *arg, const struct sender *s)
{
	const char *const *names = arg;

	while (*names != NULL && strcmp(*names, sender_name(s)) != 0)
		names++;
	return *names != NULL;
}

Test(apps, dry_ones_need_no_credentials_but_good_files)
{
	char err[APPS_ERR_MAX];
	size_t n = 0;

	cr_assert_eq(apps_new(loop, conf, true, &apps, err), 0);
	cr_assert_str_eq(name_for(PROVIDER_FCM, "x", ""), "fcm (dry run)");
	cr_assert_str_eq(name_for(PROVIDER_APNS, "", "sandbox"),
			 "apns (dry run)");
	apps_each(apps, count, &n);
	cr_assert_eq(n, 2);
	cr_assert_not(apps_one_without(apps, is_among, (const char *[1]){ NULL }));
	set(&conf->fcm_credentials, "/nowhere");
	cr_assert_lt(apps_reload(apps, conf, err), 0);
	set(&conf->fcm_credentials, fcm_file);
	cr_assert_eq(apps_reload(apps, conf, err), 0);
	cr_assert_str_eq(name_for(PROVIDER_FCM, "x", ""), "fcm (dry run)");
}

static struct sender *sender_of(enum provider p, const char *app)
{
	struct device d = { .provider = p, .app = app, .environment = "" };

	return apps_sender(apps, &d);
}

static void reload(void)
{
	char err[APPS_ERR_MAX] = "";

	cr_assert_eq(apps_reload(apps, conf, err), 0, "%s", err);
}

Test(apps, reload_keeps_what_is_the_same)
{
	struct sender *fcm, *a_fcm, *a_apns;
	struct test_key other = test_key_ec("P-256");
	size_t n = 0;

	set(&conf->fcm_credentials, fcm_file);
	apps_file("[com.a]\n" FCM APNS);
	load();
	fcm = sender_of(PROVIDER_FCM, "");
	a_fcm = sender_of(PROVIDER_FCM, "com.a");
	a_apns = sender_of(PROVIDER_APNS, "com.a");
	cr_assert_eq(fake_h2_clients(), 2 + 2 + 2);
	for (int i = 0; i < 3; i++)
		reload();
	cr_assert_eq(fake_h2_clients(), 6);
	cr_assert_eq(sender_of(PROVIDER_FCM, ""), fcm);
	cr_assert_eq(sender_of(PROVIDER_FCM, "com.a"), a_fcm);
	cr_assert_eq(sender_of(PROVIDER_APNS, "com.a"), a_apns);
	apps_each(apps, count, &n);
	cr_assert_eq(n, 4);
	cr_assert_not(apps_one_without(apps, is_among, (const char *[]){
		"fcm", "fcm com.a", "apns com.a", NULL }));
	cr_assert_not(apps_one_without(apps, is_among, (const char *[]){
		"fcm", "apns com.a", NULL }));
	cr_assert(apps_one_without(apps, is_among, (const char *[]){
		"fcm", NULL }));
	cr_assert(apps_one_without(apps, is_among, (const char *[]){
		"fcm com.a", "apns com.a", "apns com.a sandbox", NULL }));

	/* another key under the same name */
	test_file("key.p8", other.pem);
	reload();
	cr_assert_neq(sender_of(PROVIDER_APNS, "com.a"), a_apns);
	cr_assert_eq(sender_of(PROVIDER_FCM, "com.a"), a_fcm);
	turn();
	cr_assert_eq(fake_h2_clients(), 6);

	/* a section less, one more */
	apps_file("[com.b]\n" FCM);
	reload();
	turn();
	cr_assert_eq(sender_of(PROVIDER_FCM, ""), fcm);
	cr_assert_eq(sender_of(PROVIDER_FCM, "com.a"), fcm);
	cr_assert_str_eq(name_for(PROVIDER_FCM, "com.b", ""), "fcm com.b");
	cr_assert_eq(fake_h2_clients(), 4);

	/* and what goes for all */
	conf->push_timeout++;
	reload();
	turn();
	cr_assert_neq(sender_of(PROVIDER_FCM, ""), fcm);
	cr_assert_eq(fake_h2_clients(), 4);
	test_key_clear(&other);
}

Test(apps, the_certificates_file_counts_by_its_contents)
{
	struct sender *fcm;

	set(&conf->push_ca_file, test_file("ca.pem", "one"));
	set(&conf->fcm_credentials, fcm_file);
	load();
	fcm = sender_of(PROVIDER_FCM, "");
	reload();
	cr_assert_eq(sender_of(PROVIDER_FCM, ""), fcm);
	test_file("ca.pem", "other");
	reload();
	cr_assert_neq(sender_of(PROVIDER_FCM, ""), fcm);
}

Test(apps, reload_with_a_mistake_changes_nothing)
{
	char err[APPS_ERR_MAX], want[512];
	struct sender *a, *b;
	const char *path;

	apps_file("[com.a]\n" FCM "[com.b]\n" APNS);
	load();
	a = sender_of(PROVIDER_FCM, "com.a");
	b = sender_of(PROVIDER_APNS, "com.b");
	path = apps_file("[com.c]\n" FCM "[com.a]\n" FCM "[com.b]\n"
			 "apns_key = /gone\n" APNS_REST);
	cr_assert_eq(apps_reload(apps, conf, err), -ENOENT);
	snprintf(want, sizeof(want), "%s:6: apns_key: /gone: No such file or "
		 "directory", path);
	cr_assert_str_eq(err, want);
	cr_assert_eq(sender_of(PROVIDER_FCM, "com.a"), a);
	cr_assert_eq(sender_of(PROVIDER_APNS, "com.b"), b);
	cr_assert_null(sender_of(PROVIDER_FCM, "com.c"));
	cr_assert_eq(fake_h2_clients(), 4);
	set(&conf->push_apps, "");
	cr_assert_eq(apps_reload(apps, conf, err), -EINVAL);
	cr_assert_eq(sender_of(PROVIDER_FCM, "com.a"), a);
}

static size_t outcomes;

static void on_outcome(void *arg, const struct outcome *o, int64_t us)
{
	(void)us;
	outcomes++;
	*(enum outcome_kind *)arg = o->kind;
}

Test(apps, what_a_gone_sender_has_in_flight_is_answered)
{
	struct notification n = { .token = "00aa", .priority = 10 };
	enum outcome_kind kind = OUTCOME_REJECT;

	set(&conf->fcm_credentials, fcm_file);
	apps_file("[com.a]\n" APNS);
	load();
	sender_send(sender_of(PROVIDER_APNS, "com.a"), &n, on_outcome, &kind);
	sender_send(sender_of(PROVIDER_APNS, "com.a"), &n, on_outcome, &kind);
	set(&conf->push_apps, "");
	reload();
	turn();
	cr_assert_eq(fake_h2_clients(), 2 + 1);
	fake_h2_answer(fake_h2_next(NULL), 200, "");
	turn();
	cr_assert_eq(fake_h2_clients(), 2 + 1);
	fake_h2_answer(fake_h2_next(NULL), 200, "");
	cr_assert_eq(outcomes, 2);
	cr_assert_eq(kind, OUTCOME_OK);
	turn();
	cr_assert_eq(fake_h2_clients(), 2);
}

Test(apps, freeing_answers_what_gone_senders_had)
{
	struct notification n = { .token = "00aa", .priority = 10 };
	enum outcome_kind kind = OUTCOME_REJECT;

	set(&conf->fcm_credentials, fcm_file);
	apps_file("[com.a]\n" APNS);
	load();
	sender_send(sender_of(PROVIDER_APNS, "com.a"), &n, on_outcome, &kind);
	set(&conf->push_apps, "");
	reload();
	apps_free(&apps);
	cr_assert_eq(outcomes, 1);
	cr_assert_eq(kind, OUTCOME_RETRY);
}
