/* A service account's file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "pushd/google_token.h"
#include "pushd/secret_file.h"
#include "tests/unit/pushd/push_keys.h"

TestSuite(google_account, .fini = test_dir_remove);

#define ALL "\"type\":\"service_account\",\"project_id\":\"p-1\"," \
	"\"client_email\":\"e@x.test\",\"private_key\":\"K\\nEY\""

Test(google_account, good_ones)
{
	struct google_account a;
	char err[256] = "";

	cr_assert_eq(google_account_read(test_file("a.json", "{" ALL "}"), &a,
					 err), 0, "%s", err);
	cr_assert_str_eq(a.project_id, "p-1");
	cr_assert_str_eq(a.client_email, "e@x.test");
	cr_assert_str_eq(a.private_key, "K\nEY");
	cr_assert_str_eq(a.private_key_id, "");
	cr_assert_str_eq(a.token_uri, "https://oauth2.googleapis.com/token");
	google_account_clear(&a);
	cr_assert_null(a.project_id);

	cr_assert_eq(google_account_read(test_file("a.json", "{" ALL
		",\"private_key_id\":\"k\",\"token_uri\":\"https://t:1/x\"}"),
		&a, err), 0, "%s", err);
	cr_assert_str_eq(a.private_key_id, "k");
	cr_assert_str_eq(a.token_uri, "https://t:1/x");
	google_account_clear(&a);
}

Test(google_account, bad_ones_say_where_and_quote_nothing)
{
	static const struct {
		const char *json, *err;
	} rows[] = {
		{ "", "is not JSON (line 1)" },
		{ "\n{\"private_key\":\n\"SECRET", "is not JSON (line 3)" },
		{ "{\"private_key\":SECRET}", "is not JSON (line 1)" },
		{ "[]", "is not a service account's file "
			"(\"type\": \"service_account\")" },
		{ "{\"type\":\"authorized_user\",\"private_key\":\"SECRET\"}",
		  "is not a service account's file "
		  "(\"type\": \"service_account\")" },
		{ "{\"type\":\"service_account\",\"private_key\":\"SECRET\"}",
		  "project_id is missing, or not a string" },
		{ "{" ALL ",\"client_email\":7}",
		  "client_email is missing, or not a string" },
		{ "{" ALL ",\"private_key\":null}",
		  "private_key is missing, or not a string" },
		{ "{" ALL ",\"private_key_id\":[]}",
		  "private_key_id is missing, or not a string" },
		{ "{" ALL ",\"private_key\":\"\"}", "private_key is empty" },
		{ "{" ALL ",\"project_id\":\"a/b\"}",
		  "project_id is no project's id" },
		{ "{" ALL ",\"project_id\":\"\"}",
		  "project_id is no project's id" },
		{ "{" ALL ",\"client_email\":\"a\\nb\"}",
		  "client_email is no account's address" },
		{ "{" ALL ",\"private_key_id\":\"a b\"}",
		  "private_key_id is no key's id" },
		{ "{" ALL ",\"token_uri\":\"http://t/x\"}",
		  "token_uri is no https:// URL" },
		{ "{" ALL ",\"token_uri\":\"https:///x\"}",
		  "token_uri is no https:// URL" },
		{ "{" ALL ",\"token_uri\":\"https://t/x#y\"}",
		  "token_uri is no https:// URL" },
		{ "{" ALL ",\"token_uri\":\"https://t/ x\"}",
		  "token_uri is no https:// URL" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = test_file("a.json", rows[i].json);
		struct google_account a = { 0 };
		char err[256] = "", want[512];

		cr_assert_eq(google_account_read(path, &a, err), -EINVAL,
			     "row %zu", i);
		snprintf(want, sizeof(want), "%s: %s", path, rows[i].err);
		cr_assert_str_eq(err, want, "row %zu: %s", i, err);
		cr_assert_null(a.project_id);
	}
}

Test(google_account, files_that_cannot_be_read)
{
	static char large[SECRET_FILE_MAX + 2];
	struct google_account a;
	char err[256];

	cr_assert_eq(google_account_read("/nowhere.json", &a, err), -ENOENT);
	cr_assert_str_eq(err, "/nowhere.json: No such file or directory");
	cr_assert_eq(google_account_read("/tmp", &a, err), -EINVAL);
	cr_assert_str_eq(err, "/tmp: is not a regular file");
	cr_assert_eq(google_account_read("/dev/zero", &a, err), -EINVAL);
	memset(large, ' ', sizeof(large) - 1);
	cr_assert_eq(google_account_read(test_file("a.json", large), &a, err),
		     -EFBIG);
	cr_assert_not_null(strstr(err, "is too large for a key"), "%s", err);
}

Test(google_account, a_file_for_all_eyes_is_warned_of)
{
	static const struct {
		mode_t mode;
		bool warned;
	} rows[] = { { 0600, false }, { 0640, false }, { 0644, true },
		     { 0604, true }, { 0400, false } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = test_file("a.json", "SECRET");
		struct buf b = { 0 };
		char err[256], *log;

		chmod(path, rows[i].mode);
		test_capture();
		cr_assert_eq(secret_file_read(path, &b, err), 0);
		log = test_captured();
		cr_assert_eq(strstr(log, "everybody may read") != NULL,
			     rows[i].warned, "row %zu: %s", i, log);
		cr_assert_null(strstr(log, "SECRET"));
		cr_assert_str_eq(b.p, "SECRET");
		free(log);
		secret_wipe(&b);
		cr_assert_null(b.p);
		unlink(path);
	}
}
