/* What workers that are there have not got of the configuration, or of the program. */
#include <sys/stat.h>

#include "common/conf/conf_change.h"
#include "master/workers/slot.h"

static void collect(void *arg, const char *key, enum conf_when when)
{
	(void)when;
	json_array_append_new(arg, json_string(key));
}

/* The keys of one such configuration; none when it cannot be read: it is another
 * version's. */
static json_t *differing(int fd, const struct conf *is)
{
	json_t *keys = json_array();
	char err[CONF_ERR_MAX];
	struct conf *was = NULL;

	if (conf_read_fd(fd, &was, err) == 0)
		conf_diff_worker(was, is, collect, keys);
	conf_free(&was);
	return keys;
}

static ino_t inode(int fd)
{
	struct stat st;

	return fd != -1 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

json_t *supervisor_waiting(const struct supervisor *s)
{
	json_t *all = json_object(), *keys = json_array(), *key;
	ino_t last = inode(s->host.conf_fd);
	size_t k;

	for (unsigned i = 0; i < s->n; i++) {
		const struct instance *w = s->slots[i].worker;
		ino_t now = w != NULL ? inode(w->conf_fd) : 0;

		if (now == 0)
			continue;
		/* Those that were started one after the other share theirs. */
		if (now != last) {
			json_decref(keys);
			keys = differing(w->conf_fd, s->conf);
			last = now;
		}
		json_array_foreach(keys, k, key) {
			const char *name = json_string_value(key);
			json_t *n = json_object_get(all, name);

			json_object_set_new(all, name, json_integer(
						    json_integer_value(n) + 1));
		}
	}
	json_decref(keys);
	return all;
}

unsigned supervisor_adopted(const struct supervisor *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += s->slots[i].worker != NULL && s->slots[i].worker->adopted;
	return n;
}
