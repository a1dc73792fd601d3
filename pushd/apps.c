#include "pushd/apps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"
#include "pushd/apps_senders.h"

struct set {
	struct app *apps;	/* by name: the default is the first */
	size_t n;
};

struct apps {
	struct loop *loop;
	struct set set;
	struct sender *dry[PROVIDER__COUNT];	/* NULL: in earnest */
	/* Out of the set, with answers to come. */
	struct sender **retired;
	size_t nretired;
	struct task reap;
};

static void set_clear(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		app_clear(&s->apps[i]);
	free(s->apps);
	*s = (struct set){ 0 };
}

static void set_add(struct set *s, const struct app *a)
{
	s->apps = mem_realloc(s->apps, (s->n + 1) * sizeof(*s->apps));
	s->apps[s->n++] = *a;
}

static int by_name(const void *a, const void *b)
{
	const struct app *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct sender *adopt(void *arg, uint64_t print)
{
	const struct set *s = arg;

	for (size_t i = 0; i < s->n; i++)
		for (int k = 0; k < SLOT__COUNT; k++)
			if (s->apps[i].slots[k].s != NULL &&
			    s->apps[i].slots[k].print == print)
				return s->apps[i].slots[k].s;
	return NULL;
}

static int read_file(const struct app_maker *m, struct set *set)
{
	struct app_texts texts = { 0 };
	bool taken = set->n > 0;
	int rc = apps_file_read(m->path, &texts, m->err);

	for (size_t i = 0; rc == 0 && i < texts.n; i++) {
		struct app_text *t = &texts.apps[i];
		struct app app;

		if (taken && strcmp(t->name, APP_DEFAULT) == 0) {
			snprintf(m->err, APPS_ERR_MAX, "%.120s:%d: [%s]: there "
				 "is one already, in pairwire.conf", m->path,
				 t->line, t->name);
			rc = -EINVAL;
		} else if ((rc = app_from_text(m, t, &app)) == 0) {
			set_add(set, &app);
		}
	}
	apps_file_clear(&texts);
	return rc;
}

static int read_set(struct apps *a, const struct conf *conf, struct set *out,
		    char err[APPS_ERR_MAX])
{
	struct app_maker m = { .loop = a->loop, .conf = conf,
			       .path = conf->push_apps, .adopt = adopt,
			       .arg = &a->set, .err = err };
	struct set set = { 0 };
	struct app app;
	int rc = app_from_conf(&m, &app);

	if (rc != 0)
		return rc;
	if (app_has_sender(&app))
		set_add(&set, &app);
	else
		app_clear(&app);
	if (*conf->push_apps != '\0')
		rc = read_file(&m, &set);
	if (rc == 0 && set.n == 0 && a->dry[0] == NULL) {
		snprintf(err, APPS_ERR_MAX, "fcm_credentials: no credentials at "
			 "all: neither this, nor apns_key, nor push_apps");
		rc = -EINVAL;
	}
	if (rc != 0) {
		set_clear(&set);
		return rc;
	}
	if (set.n > 0)
		qsort(set.apps, set.n, sizeof(*set.apps), by_name);
	*out = set;
	return 0;
}

static void reap(void *arg)
{
	struct apps *a = arg;
	size_t kept = 0;

	for (size_t i = 0; i < a->nretired; i++) {
		if (sender_pending(a->retired[i]) == 0)
			sender_free(&a->retired[i]);
		else
			a->retired[kept++] = a->retired[i];
	}
	a->nretired = kept;
}

static void on_idle(void *arg)
{
	struct apps *a = arg;

	loop_defer(a->loop, &a->reap);
}

int apps_new(struct loop *l, const struct conf *conf, bool dry,
	     struct apps **out, char err[APPS_ERR_MAX])
{
	struct apps *a = mem_zalloc(sizeof(*a));
	int rc;

	a->loop = l;
	task_init(&a->reap, LOOP_REAP, reap, a);
	for (int p = 0; dry && p < PROVIDER__COUNT; p++)
		a->dry[p] = sender_new_dry(l, (enum provider)p);
	rc = read_set(a, conf, &a->set, err);
	if (rc != 0) {
		apps_free(&a);
		return rc;
	}
	*out = a;
	return 0;
}

/* All of the old set that the new one did not adopt. */
static void retire_rest(struct apps *a, struct set *old)
{
	for (size_t i = 0; i < old->n; i++) {
		for (int k = 0; k < SLOT__COUNT; k++) {
			struct app_slot *slot = &old->apps[i].slots[k];

			if (slot->s == NULL)
				continue;
			if (adopt(&a->set, slot->print) != slot->s) {
				log_info("%s: is gone, or has other credentials",
					 sender_name(slot->s));
				a->retired = mem_realloc(a->retired,
					(a->nretired + 1) * sizeof(*a->retired));
				a->retired[a->nretired++] = slot->s;
				sender_retire(slot->s, on_idle, a);
			}
			slot->s = NULL;
		}
	}
}

int apps_reload(struct apps *a, const struct conf *conf, char err[APPS_ERR_MAX])
{
	struct set set, old = a->set;
	int rc = read_set(a, conf, &set, err);

	if (rc != 0)
		return rc;
	a->set = set;
	for (size_t i = 0; i < set.n; i++)
		for (int k = 0; k < SLOT__COUNT; k++)
			set.apps[i].slots[k].adopted = false;
	retire_rest(a, &old);
	set_clear(&old);
	return 0;
}

static const struct app *app_of(const struct set *s, const char *name)
{
	struct app key = { .name = (char *)(uintptr_t)name };
	const struct app *found = NULL;

	if (s->n == 0)
		return NULL;
	if (*name != '\0')
		found = bsearch(&key, s->apps, s->n, sizeof(key), by_name);
	if (found == NULL && *s->apps[0].name == '\0')
		found = &s->apps[0];
	return found;
}

static bool in_sandbox(const struct app *a, const char *environment)
{
	if (strcmp(environment, "sandbox") == 0 ||
	    strcmp(environment, "development") == 0)
		return true;
	return strcmp(environment, "production") != 0 && a->sandbox;
}

struct sender *apps_sender(struct apps *a, const struct device *d)
{
	const struct app *app;

	if (a->dry[d->provider] != NULL)
		return a->dry[d->provider];
	app = app_of(&a->set, d->app);
	if (app == NULL)
		return NULL;
	if (d->provider == PROVIDER_FCM)
		return app->slots[SLOT_FCM].s;
	return app->slots[in_sandbox(app, d->environment) ?
			  SLOT_APNS_SANDBOX : SLOT_APNS].s;
}

void apps_each(struct apps *a, void (*fn)(void *arg, struct sender *s), void *arg)
{
	for (int p = 0; p < PROVIDER__COUNT; p++)
		if (a->dry[p] != NULL)
			fn(arg, a->dry[p]);
	for (size_t i = 0; a->dry[0] == NULL && i < a->set.n; i++)
		for (int k = 0; k < SLOT__COUNT; k++)
			if (a->set.apps[i].slots[k].s != NULL)
				fn(arg, a->set.apps[i].slots[k].s);
}

bool apps_one_without(const struct apps *a,
		      bool (*fn)(void *arg, const struct sender *s), void *arg)
{
	for (size_t i = 0; i < a->set.n; i++) {
		const struct app_slot *slots = a->set.apps[i].slots;
		bool without = true;

		for (int k = 0; k < SLOT__COUNT; k++)
			if (slots[k].s != NULL && fn(arg, slots[k].s))
				without = false;
		if (without)
			return true;
	}
	return false;
}

void apps_free(struct apps **ap)
{
	struct apps *a = *ap;

	if (a == NULL)
		return;
	task_cancel(&a->reap);
	for (size_t i = 0; i < a->nretired; i++)
		sender_free(&a->retired[i]);
	free(a->retired);
	set_clear(&a->set);
	for (int p = 0; p < PROVIDER__COUNT; p++)
		sender_free(&a->dry[p]);
	free(a);
	*ap = NULL;
}
