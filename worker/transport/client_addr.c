#include "worker/transport/client_addr.h"

#include <string.h>
#include <strings.h>

static const struct net_addr unknown;

static struct slice trim(struct slice s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Takes the last item of a comma-separated list. */
static struct slice take_last(struct slice *list)
{
	size_t at = list->n;
	struct slice item;

	while (at > 0 && list->p[at - 1] != ',')
		at--;
	item = (struct slice){ list->p + at, list->n - at };
	list->n = at > 0 ? at - 1 : 0;
	return trim(item);
}

static bool is_forwarded_for(const struct http_field *f)
{
	static const char name[] = "X-Forwarded-For";

	return f->name.n == sizeof(name) - 1 &&
	       strncasecmp(f->name.p, name, f->name.n) == 0;
}

/* Each proxy adds whom it heard from at the end: what is behind the first
 * address that is no trusted proxy's, seen from the end, anybody may have
 * written. */
struct net_addr client_addr(const struct http_head *h,
			    const struct net_addr *peer,
			    const struct net_list *trusted)
{
	if (!net_list_has(trusted, peer))
		return *peer;
	for (size_t i = h->nfields; i-- > 0;) {
		struct slice list = h->fields[i].value;

		if (!is_forwarded_for(&h->fields[i]))
			continue;
		while (list.n > 0) {
			struct slice item = take_last(&list);
			struct net_addr a;

			if (item.n == 0)	/* RFC 9110 5.6.1.2 */
				continue;
			if (net_addr_parse(item, &a) != 0)
				return unknown;
			if (!net_list_has(trusted, &a))
				return a;
		}
	}
	return unknown;
}
