#include "pushd/google_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/base/mem.h"
#include "pushd/secret_file.h"

#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define PROJECT_MAX 256
#define EMAIL_MAX 320
#define KID_MAX 256
#define URI_MAX 512

/* "example.com:project" is an old form of a project's id. */
static bool is_project(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

	return n > 0 && n <= PROJECT_MAX && s[n] == '\0';
}

/* Printable ASCII without space, 1 to max bytes. */
static bool is_plain(const char *s, size_t max)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] < 0x7f)
		n++;
	return n > 0 && n <= max && s[n] == '\0';
}

static bool is_https(const char *s)
{
	return is_plain(s, URI_MAX) && strncmp(s, "https://", 8) == 0 &&
	       s[8] != '\0' && s[8] != '/' && strchr(s, '#') == NULL;
}

const char *google_account_wrong(const struct google_account *a)
{
	if (!is_project(a->project_id))
		return "project_id is no project's id";
	if (!is_plain(a->client_email, EMAIL_MAX))
		return "client_email is no account's address";
	if (*a->private_key_id != '\0' && !is_plain(a->private_key_id, KID_MAX))
		return "private_key_id is no key's id";
	if (*a->private_key == '\0')
		return "private_key is empty";
	if (!is_https(a->token_uri))
		return "token_uri is no https:// URL";
	return NULL;
}

/* A new string; NULL when it is missing and there is no default, or is not a
 * string. */
static char *member(const json_t *root, const char *name, const char *def)
{
	const json_t *v = json_object_get(root, name);

	if (v == NULL)
		return def != NULL ? mem_strdup(def) : NULL;
	return json_is_string(v) ? mem_strdup(json_string_value(v)) : NULL;
}

static int from_json(const json_t *root, const char *path,
		     struct google_account *out, char err[256])
{
	static const struct {
		const char *name;
		size_t offset;
		const char *def;
	} rows[] = {
#define ROW(name, def) { #name, offsetof(struct google_account, name), def }
		ROW(project_id, NULL),
		ROW(client_email, NULL),
		ROW(private_key, NULL),
		ROW(private_key_id, ""),
		ROW(token_uri, TOKEN_URI),
#undef ROW
	};
	const char *type = json_string_value(json_object_get(root, "type"));
	struct google_account a = { 0 };
	const char *wrong;

	if (type == NULL || strcmp(type, "service_account") != 0) {
		snprintf(err, 256, "%.160s: is not a service account's file "
			 "(\"type\": \"service_account\")", path);
		return -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *v = member(root, rows[i].name, rows[i].def);

		memcpy((char *)&a + rows[i].offset, &v, sizeof(v));
		if (v == NULL) {
			snprintf(err, 256, "%.160s: %s is missing, or not a "
				 "string", path, rows[i].name);
			google_account_clear(&a);
			return -EINVAL;
		}
	}
	wrong = google_account_wrong(&a);
	if (wrong != NULL) {
		snprintf(err, 256, "%.160s: %s", path, wrong);
		google_account_clear(&a);
		return -EINVAL;
	}
	*out = a;
	return 0;
}

/* jansson's own copy; we are its only owner. */
static void wipe_key(json_t *root)
{
	json_t *key = json_object_get(root, "private_key");
	const char *text = json_string_value(key);

	if (text != NULL)
		explicit_bzero((char *)(uintptr_t)text,
			       json_string_length(key));
}

int google_account_read(const char *path, struct google_account *out,
			char err[256])
{
	struct buf text = { 0 };
	json_error_t where;
	json_t *root;
	int rc = secret_file_read(path, &text, err);

	if (rc != 0)
		return rc;
	root = json_loadb(text.p, text.len, 0, &where);
	secret_wipe(&text);
	if (root == NULL) {
		/* where.text quotes what it found, perhaps the key */
		snprintf(err, 256, "%.160s: is not JSON (line %d)", path,
			 where.line);
		return -EINVAL;
	}
	rc = from_json(root, path, out, err);
	wipe_key(root);
	json_decref(root);
	return rc;
}

void google_account_clear(struct google_account *a)
{
	if (a->private_key != NULL)
		explicit_bzero(a->private_key, strlen(a->private_key));
	free(a->project_id);
	free(a->client_email);
	free(a->private_key);
	free(a->private_key_id);
	free(a->token_uri);
	*a = (struct google_account){ 0 };
}
