#include "worker/socketio/assembly.h"

#include <stdlib.h>

#include "common/base/mem.h"

struct sio_assembly *sio_assembly_new(const struct sio_packet *p,
				      struct sio_nsp *nsp, json_t *name,
				      bool keep)
{
	struct sio_assembly *a = mem_zalloc(sizeof(*a));

	a->type = p->type;
	a->nsp = nsp;
	a->ack = p->ack;
	a->name = name;
	a->want = p->attachments;
	a->keep = keep;
	if (keep)
		buf_add(&a->text, p->json.p, p->json.n);
	return a;
}

void sio_assembly_free(struct sio_assembly **ap)
{
	struct sio_assembly *a = *ap;

	if (a == NULL)
		return;
	json_decref(a->name);
	buf_free(&a->text);
	buf_free(&a->bytes);
	free(a);
	*ap = NULL;
}

bool sio_assembly_add(struct sio_assembly *a, struct slice attachment)
{
	if (a->keep) {
		buf_add(&a->bytes, attachment.p, attachment.n);
		a->ends[a->count] = a->bytes.len;
	}
	return ++a->count == a->want;
}

void sio_assembly_slices(const struct sio_assembly *a, struct slice *out)
{
	size_t at = 0;

	for (unsigned i = 0; i < a->count; i++) {
		out[i].n = a->ends[i] - at;
		/* there may be no memory where all are empty */
		out[i].p = out[i].n != 0 ? a->bytes.p + at : NULL;
		at = a->ends[i];
	}
}

/* Beside an integer beyond 64 bits all of them come as reals (json_text.h). */
static bool is_index(const json_t *num, unsigned n)
{
	double v = json_number_value(num);

	return json_is_number(num) && v >= 0 && v < n && v == (unsigned)v;
}

/* As deep as the parser's own limit lets it be. */
bool sio_placeholders_ok(const json_t *json, unsigned n)
{
	json_t *value;
	const char *key;
	size_t i;

	if (json_is_array(json)) {
		json_array_foreach(json, i, value) {
			if (!sio_placeholders_ok(value, n))
				return false;
		}
		return true;
	}
	if (!json_is_object(json))
		return true;
	if (json_is_true(json_object_get(json, "_placeholder"))) {
		return is_index(json_object_get(json, "num"), n);
	}
	json_object_foreach((json_t *)json, key, value) {
		if (!sio_placeholders_ok(value, n))
			return false;
	}
	return true;
}
