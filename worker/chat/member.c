#include "worker/chat/member.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/directory.h"

struct check {
	member_cb *cb;
	void *arg;
	char me[PW_ID_MAX + 1];
	char match_id[PW_ID_MAX + 1];
};

static void on_match(void *arg, int err, const struct match *match)
{
	struct check *k = arg;
	struct member m = { k->match_id, k->me, NULL };

	if (err == 0 && match != NULL && match->live) {
		if (strcmp(match->user_a, k->me) == 0)
			m.other = match->user_b;
		else if (strcmp(match->user_b, k->me) == 0)
			m.other = match->user_a;
	}
	if (m.other != NULL)
		k->cb(k->arg, NULL, &m);
	else
		k->cb(k->arg, err != 0 ? &error_unavailable : &error_no_match,
		      NULL);
	free(k);
}

void member_check(struct chat *c, const char *me, const char *match_id,
		  member_cb *cb, void *arg)
{
	struct check *k = mem_zalloc(sizeof(*k));

	k->cb = cb;
	k->arg = arg;
	strcpy(k->me, me);
	strcpy(k->match_id, match_id);
	directory_match(c->directory, match_id, on_match, k);
}
