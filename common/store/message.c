#include "common/store/message.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define ID_BYTES (MESSAGE_ID_LEN / 2)

static const char *const type_names[MESSAGE_TYPES] = {
	[MSG_TEXT] = "text",
	[MSG_IMAGE] = "image",
	[MSG_VOICE] = "voice",
	[MSG_VIDEO] = "video",
};

const char *message_type_name(enum message_type t)
{
	return type_names[t];
}

int message_type_parse(struct slice name, enum message_type *out)
{
	for (unsigned t = 0; t < MESSAGE_TYPES; t++) {
		if (strlen(type_names[t]) == name.n &&
		    memcmp(type_names[t], name.p, name.n) == 0) {
			*out = t;
			return 0;
		}
	}
	return -EINVAL;
}

/* The length before each part keeps ("ab", "c") apart from ("a", "bc"). */
static void add_part(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	const unsigned char be[4] = { (unsigned char)(n >> 24),
				      (unsigned char)(n >> 16),
				      (unsigned char)(n >> 8),
				      (unsigned char)n };

	buf_add(b, be, sizeof(be));
	buf_add(b, s, n);
}

static void id_derive(const char *sender_id, const char *match_id,
		      const char *temp_id, unsigned char id[ID_BYTES])
{
	/* OpenSSL 3 looks an algorithm up anew for each use of EVP_sha256(). */
	static EVP_MD *sha256;
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf b = { 0 };

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	add_part(&b, sender_id);
	add_part(&b, match_id);
	add_part(&b, temp_id);
	if (sha256 == NULL ||
	    EVP_Digest(b.p, b.len, digest, NULL, sha256, NULL) != 1)
		log_fatal("message: SHA-256 is not available");
	memcpy(id, digest, ID_BYTES);
	buf_free(&b);
}

void message_id_make(const char *sender_id, const char *match_id,
		     const char *temp_id, char out[MESSAGE_ID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char id[ID_BYTES];

	if (temp_id != NULL)
		id_derive(sender_id, match_id, temp_id, id);
	else if (RAND_bytes(id, sizeof(id)) != 1)
		log_fatal("message: no random bytes");
	for (size_t i = 0; i < ID_BYTES; i++) {
		out[2 * i] = hex[id[i] >> 4];
		out[2 * i + 1] = hex[id[i] & 15];
	}
	out[MESSAGE_ID_LEN] = '\0';
}

bool message_id_valid(struct slice id)
{
	if (id.n != MESSAGE_ID_LEN)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static size_t str_room(const char *s)
{
	return s != NULL ? strlen(s) + 1 : 0;
}

static const char *str_put(char **at, const char *s)
{
	char *to = *at;
	size_t n = str_room(s);

	if (s == NULL)
		return NULL;
	memcpy(to, s, n);
	*at += n;
	return to;
}

struct message *message_dup(const struct message *m)
{
	struct message *d = mem_alloc(
		sizeof(*d) + str_room(m->match_id) + str_room(m->sender_id) +
		str_room(m->recipient_id) + m->content.n + 1 +
		str_room(m->media_url) + str_room(m->temp_id) +
		str_room(m->src));
	char *at = (char *)(d + 1);

	*d = *m;
	d->match_id = str_put(&at, m->match_id);
	d->sender_id = str_put(&at, m->sender_id);
	d->recipient_id = str_put(&at, m->recipient_id);
	d->media_url = str_put(&at, m->media_url);
	d->temp_id = str_put(&at, m->temp_id);
	d->src = str_put(&at, m->src);
	d->content.p = at;
	if (m->content.n > 0)
		memcpy(at, m->content.p, m->content.n);
	at[m->content.n] = '\0';
	return d;
}

static bool same_str(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool message_same(const struct message *a, const struct message *b)
{
	return a->type == b->type && a->content.n == b->content.n &&
	       (a->content.n == 0 ||
		memcmp(a->content.p, b->content.p, a->content.n) == 0) &&
	       same_str(a->media_url, b->media_url) &&
	       same_str(a->recipient_id, b->recipient_id);
}
