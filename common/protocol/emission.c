#include "common/protocol/emission.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <msgpack/unpack.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/protocol/json_out.h"
#include "common/protocol/msgpack_claims.h"

/* socket.io-parser and the adapter */
#define PACKET_EVENT 2
#define REQUEST_DISCONNECT 4
#define EXT_TIMESTAMP (-1)

/* A client takes one of these for the end of the world (socketio.md 7). */
static const char *const reserved[] = {
	"connect", "connect_error", "disconnect", "disconnecting",
	"newListener", "removeListener",
};

/* --- rooms --- */

static int compare(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int c = n > 0 ? memcmp(x->p, y->p, n) : 0;

	return c != 0 ? c : (x->n > y->n) - (x->n < y->n);
}

bool rooms_have(const struct rooms *r, struct slice name)
{
	return r->n > 0 && bsearch(&name, r->names, r->n, sizeof(name),
				   compare) != NULL;
}

static void rooms_sort(struct rooms *r)
{
	size_t kept = 0;

	if (r->n == 0)
		return;
	qsort(r->names, r->n, sizeof(*r->names), compare);
	for (size_t i = 1; i < r->n; i++)
		if (compare(&r->names[kept], &r->names[i]) != 0)
			r->names[++kept] = r->names[i];
	r->n = kept + 1;
}

/* to->text has the room for all names of a message: it must not move. */
static void rooms_add(struct emission_to *to, struct rooms *r, const char *p,
		      size_t n)
{
	r->names[r->n++] = (struct slice){ to->text.p + to->text.len, n };
	buf_add(&to->text, p, n);
}

static void rooms_alloc(struct rooms *r, size_t n)
{
	r->names = n > 0 ? mem_alloc(n * sizeof(*r->names)) : NULL;
	r->n = 0;
}

void emission_to_free(struct emission_to *to)
{
	free(to->rooms.names);
	free(to->except.names);
	buf_free(&to->text);
	*to = (struct emission_to){ 0 };
}

/* --- MessagePack --- */

static bool is_str(const msgpack_object *o, const char *s)
{
	return o->type == MSGPACK_OBJECT_STR &&
	       o->via.str.size == strlen(s) &&
	       memcmp(o->via.str.ptr, s, strlen(s)) == 0;
}

/* NULL: none, or o is no map. */
static const msgpack_object *member(const msgpack_object *o, const char *key)
{
	if (o->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < o->via.map.size; i++)
		if (is_str(&o->via.map.ptr[i].key, key))
			return &o->via.map.ptr[i].val;
	return NULL;
}

static int write_str(struct buf *b, const msgpack_object *o)
{
	struct slice s = { o->via.str.ptr, o->via.str.size };

	if (!utf8_valid(s))
		return -EBADMSG;
	json_out_str(b, s.p, s.n);
	return 0;
}

/* The fewest digits that read back the same. */
static void write_double(struct buf *b, double v)
{
	char text[32];

	if (!isfinite(v)) {
		buf_adds(b, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_adds(b, text);
}

static uint64_t big_endian(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

/* MessagePack's three timestamps; within the years of four digits. */
static int write_time(struct buf *b, const msgpack_object_ext *x)
{
	const int64_t end = 253402300800;	/* year 10000 */
	uint64_t word = big_endian(x->ptr, x->size < 8 ? x->size : 8);
	int64_t s;
	uint64_t ns;

	switch (x->size) {
	case 4:
		s = (int64_t)word;
		ns = 0;
		break;
	case 8:
		s = (int64_t)(word & ((1ULL << 34) - 1));
		ns = word >> 34;
		break;
	case 12:
		s = (int64_t)big_endian(x->ptr + 4, 8);
		ns = word >> 32;
		break;
	default:
		return -EBADMSG;
	}
	if (s < -62167219200 || s >= end || ns >= 1000000000)
		return -ENOTSUP;
	json_out_time(b, s * 1000 + (int64_t)(ns / 1000000));
	return 0;
}

static int write_value(struct buf *b, const msgpack_object *o);

static int write_array(struct buf *b, const msgpack_object_array *a)
{
	int err = 0;

	buf_addc(b, '[');
	for (uint32_t i = 0; i < a->size && err == 0; i++) {
		if (i > 0)
			buf_addc(b, ',');
		err = write_value(b, &a->ptr[i]);
	}
	buf_addc(b, ']');
	return err;
}

static int write_map(struct buf *b, const msgpack_object_map *m)
{
	int err = 0;

	buf_addc(b, '{');
	for (uint32_t i = 0; i < m->size && err == 0; i++) {
		if (m->ptr[i].key.type != MSGPACK_OBJECT_STR)
			return -EBADMSG;
		if (i > 0)
			buf_addc(b, ',');
		err = write_str(b, &m->ptr[i].key);
		buf_addc(b, ':');
		if (err == 0)
			err = write_value(b, &m->ptr[i].val);
	}
	buf_addc(b, '}');
	return err;
}

/* As deep as the library reads: 32 levels. */
static int write_value(struct buf *b, const msgpack_object *o)
{
	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		buf_adds(b, "null");
		return 0;
	case MSGPACK_OBJECT_BOOLEAN:
		buf_adds(b, o->via.boolean ? "true" : "false");
		return 0;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		buf_printf(b, "%llu", (unsigned long long)o->via.u64);
		return 0;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		json_out_int(b, o->via.i64);
		return 0;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		write_double(b, o->via.f64);
		return 0;
	case MSGPACK_OBJECT_STR:
		return write_str(b, o);
	case MSGPACK_OBJECT_ARRAY:
		return write_array(b, &o->via.array);
	case MSGPACK_OBJECT_MAP:
		return write_map(b, &o->via.map);
	case MSGPACK_OBJECT_EXT:
		return o->via.ext.type == EXT_TIMESTAMP ?
			       write_time(b, &o->via.ext) : -ENOTSUP;
	default:
		return -ENOTSUP;	/* binary: a client expects attachments */
	}
}

static int write_frame(const msgpack_object *packet, struct buf *frame)
{
	const msgpack_object *type = member(packet, "type");
	const msgpack_object *nsp = member(packet, "nsp");
	const msgpack_object *data = member(packet, "data");

	if (type == NULL || type->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return -EBADMSG;
	if (type->via.u64 != PACKET_EVENT || (nsp != NULL && !is_str(nsp, "/")))
		return -ENOTSUP;
	if (data == NULL || data->type != MSGPACK_OBJECT_ARRAY ||
	    data->via.array.size == 0 ||
	    data->via.array.ptr[0].type != MSGPACK_OBJECT_STR)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (is_str(&data->via.array.ptr[0], reserved[i]))
			return -ENOTSUP;
	buf_adds(frame, "42");
	return write_array(frame, &data->via.array);
}

static int take_rooms(const msgpack_object *opts, const char *key,
		      struct emission_to *to, struct rooms *out)
{
	const msgpack_object *list = member(opts, key);

	if (list == NULL)
		return 0;
	if (list->type != MSGPACK_OBJECT_ARRAY)
		return -EBADMSG;
	rooms_alloc(out, list->via.array.size);
	for (uint32_t i = 0; i < list->via.array.size; i++) {
		const msgpack_object *o = &list->via.array.ptr[i];

		if (o->type != MSGPACK_OBJECT_STR)
			return -EBADMSG;
		rooms_add(to, out, o->via.str.ptr, o->via.str.size);
	}
	rooms_sort(out);
	return 0;
}

/* [uid, packet, opts] */
static int take_all(const msgpack_object *o, struct emission_to *to,
		    struct buf *frame)
{
	const msgpack_object *part = o->via.array.ptr;
	int err;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != 3 ||
	    part[0].type != MSGPACK_OBJECT_STR ||
	    part[2].type != MSGPACK_OBJECT_MAP)
		return -EBADMSG;
	err = write_frame(&part[1], frame);
	if (err == 0)
		err = take_rooms(&part[2], "rooms", to, &to->rooms);
	if (err == 0)
		err = take_rooms(&part[2], "except", to, &to->except);
	return err;
}

int emission_decode(struct slice msg, struct emission_to *to, struct buf *frame)
{
	size_t before = frame->len, used = 0;
	msgpack_unpacked u;
	int err = -EBADMSG;

	*to = (struct emission_to){ 0 };
	if (msg.n > EMISSION_MAX)
		return -EMSGSIZE;
	if (!msgpack_claims_fit(msg))
		return -EBADMSG;
	buf_reserve(&to->text, msg.n);
	msgpack_unpacked_init(&u);
	if (msgpack_unpack_next(&u, msg.p, msg.n, &used) ==
		    MSGPACK_UNPACK_SUCCESS && used == msg.n)
		err = take_all(&u.data, to, frame);
	msgpack_unpacked_destroy(&u);
	if (err == 0 && frame->len - before > EMISSION_MAX)
		err = -EMSGSIZE;
	if (err != 0) {
		frame->len = before;
		emission_to_free(to);
	}
	return err;
}

/* --- requests --- */

static int take_names(const json_t *opts, const char *key,
		      struct emission_to *to, struct rooms *out)
{
	const json_t *list = json_object_get(opts, key), *name;
	size_t i;

	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return -EBADMSG;
	rooms_alloc(out, json_array_size(list));
	json_array_foreach (list, i, name) {
		if (!json_is_string(name))
			return -EBADMSG;
		rooms_add(to, out, json_string_value(name),
			  json_string_length(name));
	}
	rooms_sort(out);
	return 0;
}

int emission_request(struct slice msg, struct emission_to *to)
{
	json_t *root, *type, *opts;
	int err = -EBADMSG;

	*to = (struct emission_to){ 0 };
	if (msg.n > EMISSION_MAX)
		return -EBADMSG;
	root = json_loadb(msg.p, msg.n, JSON_ALLOW_NUL, NULL);
	type = json_object_get(root, "type");
	opts = json_object_get(root, "opts");
	if (json_is_integer(type) &&
	    json_integer_value(type) != REQUEST_DISCONNECT) {
		err = -ENOTSUP;
	} else if (json_is_integer(type) && json_is_object(opts)) {
		buf_reserve(&to->text, msg.n);
		err = take_names(opts, "rooms", to, &to->rooms);
		if (err == 0)
			err = take_names(opts, "except", to, &to->except);
	}
	json_decref(root);
	if (err != 0)
		emission_to_free(to);
	return err;
}
