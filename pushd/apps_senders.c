#include "pushd/apps_senders.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/siphash.h"
#include "common/conf/conf.h"
#include "pushd/google_token.h"
#include "pushd/secret_file.h"

#define WHY_MAX 256

static int PRINTF(4, 5) key_error(const struct app_maker *m,
				  const struct app_text *t, enum app_key k,
				  const char *fmt, ...)
{
	char what[WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (t->line != 0)
		snprintf(m->err, APPS_ERR_MAX, "%.120s:%d: %s: %.160s", m->path,
			 t->keys[k].line, app_key_names[k], what);
	else
		snprintf(m->err, APPS_ERR_MAX, "%s: %s", app_key_names[k], what);
	return -EINVAL;
}

/* What a sender is made of: every part with its end, so that no two lists are
 * one text. */
static void print_add(struct buf *b, const char *part)
{
	buf_add(b, part, strlen(part) + 1);
}

/* Reserved at once, for growing would leave copies of the key behind. */
static void print_begin(struct buf *b, const struct sender_conf *c)
{
	struct stat st = { 0 };
	char numbers[160];

	buf_reserve(b, 2 * SECRET_FILE_MAX);
	if (*c->ca_file != '\0' && stat(c->ca_file, &st) == -1)
		st = (struct stat){ 0 };	/* h2_client_new() tells */
	snprintf(numbers, sizeof(numbers), "%u %u %llu %lld %lld.%09ld",
		 c->connections, c->timeout_ms, (unsigned long long)st.st_ino,
		 (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec);
	print_add(b, c->name);
	print_add(b, c->url);
	print_add(b, c->ca_file);
	print_add(b, numbers);
}

static uint64_t print_end(struct buf *b)
{
	uint64_t print = hash_bytes(b->p, b->len);

	secret_wipe(b);
	return print;
}

static struct sender_conf sender_conf_of(const struct app_maker *m,
					 const char *url, const char *name)
{
	return (struct sender_conf){
		.name = name,
		.url = url,
		.ca_file = m->conf->push_ca_file,
		.connections = (unsigned)m->conf->push_connections,
		.timeout_ms = (unsigned)m->conf->push_timeout,
	};
}

/* True when a sender like that is there already. */
static bool adopt(const struct app_maker *m, struct app_slot *slot,
		  uint64_t print)
{
	slot->print = print;
	slot->s = m->adopt != NULL ? m->adopt(m->arg, print) : NULL;
	slot->adopted = slot->s != NULL;
	return slot->adopted;
}

/* A file that cannot be read now can be later. */
static int not_made(const struct sender_conf *c)
{
	return *c->ca_file != '\0' && access(c->ca_file, R_OK) == -1 ? -errno :
								       -EINVAL;
}

static int make_fcm(const struct app_maker *m, const char *app,
		    const struct google_account *a, struct app_slot *slot,
		    char err[WHY_MAX])
{
	char name[APP_NAME_MAX + 16];
	struct sender_conf c = sender_conf_of(m, m->conf->fcm_url, name);
	struct buf b = { 0 };

	snprintf(name, sizeof(name), "fcm%s%s", *app != '\0' ? " " : "", app);
	print_begin(&b, &c);
	print_add(&b, a->project_id);
	print_add(&b, a->client_email);
	print_add(&b, a->private_key);
	print_add(&b, a->private_key_id);
	print_add(&b, a->token_uri);
	if (adopt(m, slot, print_end(&b)))
		return 0;
	slot->s = sender_new_fcm(m->loop, &c, a, err);
	return slot->s != NULL ? 0 : not_made(&c);
}

static int make_apns(const struct app_maker *m, const char *app, bool sandbox,
		     const struct apns_conf *a, struct app_slot *slot,
		     char err[WHY_MAX])
{
	char name[APP_NAME_MAX + 16];
	struct sender_conf c = sender_conf_of(m, sandbox ?
		m->conf->apns_sandbox_url : m->conf->apns_url, name);
	struct buf b = { 0 };

	snprintf(name, sizeof(name), "apns%s%s%s", *app != '\0' ? " " : "", app,
		 sandbox ? " sandbox" : "");
	print_begin(&b, &c);
	print_add(&b, a->key_pem);
	print_add(&b, a->key_id);
	print_add(&b, a->team_id);
	print_add(&b, a->topic);
	if (adopt(m, slot, print_end(&b)))
		return 0;
	slot->s = sender_new_apns(m->loop, &c, a, err);
	return slot->s != NULL ? 0 : not_made(&c);
}

static int fcm_of_file(const struct app_maker *m, const struct app_text *t,
		       struct app *out)
{
	const char *path = t->keys[APP_fcm_credentials].text;
	struct google_account a;
	char err[WHY_MAX];
	int rc;

	if (path == NULL)
		return 0;
	rc = google_account_read(path, &a, err);
	if (rc != 0) {
		key_error(m, t, APP_fcm_credentials, "%s", err);
		return rc;
	}
	rc = make_fcm(m, out->name, &a, &out->slots[SLOT_FCM], err);
	google_account_clear(&a);
	if (rc != 0)
		key_error(m, t, APP_fcm_credentials, "%s: %s", path, err);
	return rc;
}

/* All of them or none. */
static int check_apns(const struct app_maker *m, const struct app_text *t)
{
	static const enum app_key with[] = { APP_apns_key_id, APP_apns_team_id,
					     APP_apns_topic };
	bool key = t->keys[APP_apns_key].text != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
		bool given = t->keys[with[i]].text != NULL;

		if (key && !given)
			return key_error(m, t, APP_apns_key, "needs %s, too",
					 app_key_names[with[i]]);
		if (given && !key)
			return key_error(m, t, with[i], "needs apns_key, too");
	}
	return 0;
}

static int apns_of_file(const struct app_maker *m, const struct app_text *t,
			struct app *out)
{
	const char *path = t->keys[APP_apns_key].text;
	struct buf pem = { 0 };
	struct apns_conf a;
	char err[WHY_MAX];
	int rc = check_apns(m, t);

	if (rc != 0 || path == NULL)
		return rc;
	rc = secret_file_read(path, &pem, err);
	if (rc != 0) {
		key_error(m, t, APP_apns_key, "%s", err);
		return rc;
	}
	a = (struct apns_conf){ .key_pem = pem.p,
				.key_id = t->keys[APP_apns_key_id].text,
				.team_id = t->keys[APP_apns_team_id].text,
				.topic = t->keys[APP_apns_topic].text };
	rc = make_apns(m, out->name, false, &a, &out->slots[SLOT_APNS], err);
	if (rc == 0)
		rc = make_apns(m, out->name, true, &a,
			       &out->slots[SLOT_APNS_SANDBOX], err);
	secret_wipe(&pem);
	if (rc != 0)
		key_error(m, t, APP_apns_key, "%s: %s", path, err);
	return rc;
}

static int environment_of(const struct app_maker *m, const struct app_text *t,
			  bool *sandbox_out)
{
	const char *text = t->keys[APP_apns_environment].text;

	if (text == NULL || strcmp(text, "production") == 0)
		*sandbox_out = false;
	else if (strcmp(text, "sandbox") == 0 ||
		 strcmp(text, "development") == 0)
		*sandbox_out = true;
	else
		return key_error(m, t, APP_apns_environment,
				 "is neither production nor sandbox");
	return 0;
}

static int make(const struct app_maker *m, const struct app_text *t,
		const char *name, struct app *out)
{
	struct app a = { .name = mem_strdup(name) };
	int rc = environment_of(m, t, &a.sandbox);

	if (rc == 0)
		rc = fcm_of_file(m, t, &a);
	if (rc == 0)
		rc = apns_of_file(m, t, &a);
	if (rc != 0)
		app_clear(&a);
	else
		*out = a;
	return rc;
}

int app_from_text(const struct app_maker *m, const struct app_text *t,
		  struct app *out)
{
	if (t->keys[APP_fcm_credentials].text == NULL &&
	    t->keys[APP_apns_key].text == NULL && check_apns(m, t) == 0) {
		snprintf(m->err, APPS_ERR_MAX, "%.120s:%d: [%.64s]: has neither "
			 "fcm_credentials nor apns_key", m->path, t->line,
			 t->name);
		return -EINVAL;
	}
	return make(m, t, strcmp(t->name, APP_DEFAULT) == 0 ? "" : t->name, out);
}

/* A key in an environment variable has "\n" for its line breaks. */
static char *unescape(const char *text)
{
	char *out = mem_strdup(text), *to = out;

	for (const char *p = out; *p != '\0'; p++, to++) {
		*to = *p;
		if (p[0] == '\\' && p[1] == 'n') {
			*to = '\n';
			p++;
		}
	}
	explicit_bzero(to, strlen(to));
	return out;
}

/* "private_key is ..." -> "firebase_private_key: is ...": whose key it is. */
static int values_error(const struct app_maker *m, const char *why)
{
	static const struct {
		const char *field, *key;
	} rows[] = {
		{ "project_id ", "firebase_project_id" },
		{ "client_email ", "firebase_client_email" },
		{ "private_key ", "firebase_private_key" },
		{ "token_uri ", "google_token_url" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i].field);

		if (strncmp(why, rows[i].field, n) == 0) {
			snprintf(m->err, APPS_ERR_MAX, "%s: %s", rows[i].key,
				 why + n);
			return -EINVAL;
		}
	}
	snprintf(m->err, APPS_ERR_MAX, "%s", why);
	return -EINVAL;
}

/* The three values instead of a file. */
static int fcm_of_values(const struct app_maker *m, struct app *out)
{
	const struct conf *c = m->conf;
	struct google_account a;
	char err[WHY_MAX];
	const char *wrong;
	int rc;

	if (*c->fcm_credentials != '\0' ||
	    (*c->firebase_project_id == '\0' &&
	     *c->firebase_client_email == '\0' &&
	     *c->firebase_private_key == '\0'))
		return 0;
	a = (struct google_account){
		.project_id = mem_strdup(c->firebase_project_id),
		.client_email = mem_strdup(c->firebase_client_email),
		.private_key = unescape(c->firebase_private_key),
		.private_key_id = mem_strdup(""),
		.token_uri = mem_strdup(c->google_token_url),
	};
	wrong = google_account_wrong(&a);
	if (wrong != NULL)
		rc = values_error(m, wrong);
	else if ((rc = make_fcm(m, out->name, &a, &out->slots[SLOT_FCM],
				err)) != 0)
		values_error(m, err);
	google_account_clear(&a);
	return rc;
}

int app_from_conf(const struct app_maker *m, struct app *out)
{
	const struct conf *c = m->conf;
	struct app_text t = { .line = 0 };
	struct app a;
	int rc;

#define FROM_CONF(key) \
	t.keys[APP_##key].text = *c->key != '\0' ? c->key : NULL;
	APP_KEYS(FROM_CONF)
#undef FROM_CONF
	rc = make(m, &t, "", &a);
	if (rc != 0)
		return rc;
	rc = fcm_of_values(m, &a);
	if (rc != 0)
		app_clear(&a);
	else
		*out = a;
	return rc;
}

bool app_has_sender(const struct app *a)
{
	for (int i = 0; i < SLOT__COUNT; i++)
		if (a->slots[i].s != NULL)
			return true;
	return false;
}

void app_clear(struct app *a)
{
	for (int i = 0; i < SLOT__COUNT; i++)
		if (!a->slots[i].adopted)
			sender_free(&a->slots[i].s);
	free(a->name);
	*a = (struct app){ 0 };
}
