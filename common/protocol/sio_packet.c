#include "common/protocol/sio_packet.h"

#include <errno.h>
#include <string.h>

#include "common/protocol/json_out.h"

#define ACK_MAX (INT64_C(1) << 53)	/* beyond it JavaScript rounds */

static const char *const reserved_names[] = {
	"connect", "connect_error", "disconnect", "disconnecting",
	"newListener", "removeListener",
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Decimal digits at *at; how many there were. *value_out stays at max + 1 once
 * the number exceeds max. */
static size_t read_number(struct slice text, size_t *at, int64_t max,
			  int64_t *value_out)
{
	size_t start = *at;
	int64_t v = 0;

	for (; *at < text.n && is_digit(text.p[*at]); (*at)++) {
		if (v <= max)
			v = v * 10 + (text.p[*at] - '0');
		if (v > max)
			v = max + 1;
	}
	*value_out = v;
	return *at - start;
}

static int read_attachments(struct slice text, size_t *at, unsigned *out)
{
	int64_t n;

	if (read_number(text, at, SIO_ATTACHMENTS_MAX, &n) == 0 || n < 1 ||
	    n > SIO_ATTACHMENTS_MAX)
		return -EBADMSG;
	if (*at == text.n || text.p[*at] != '-')
		return -EBADMSG;
	(*at)++;
	*out = (unsigned)n;
	return 0;
}

/* "/name," or "/name" at the end; nothing: the root. */
static struct slice read_namespace(struct slice text, size_t *at)
{
	struct slice nsp = SLICE("/");
	const char *start = text.p + *at;
	const char *comma;

	if (*at == text.n || *start != '/')
		return nsp;
	comma = memchr(start, ',', text.n - *at);
	nsp.p = start;
	nsp.n = comma != NULL ? (size_t)(comma - start) : text.n - *at;
	*at += nsp.n + (comma != NULL);
	return nsp;
}

/* An event or acknowledgement without payload counts as one with no arguments,
 * as in the Node server; a DISCONNECT must have none. */
static bool payload_fits(enum sio_type type, struct slice json)
{
	if (json.n == 0)
		return true;
	switch (type) {
	case SIO_CONNECT:
		return json.p[0] == '{';
	case SIO_CONNECT_ERROR:
		return json.p[0] == '{' || json.p[0] == '"';
	case SIO_EVENT:
	case SIO_ACK:
	case SIO_BINARY_EVENT:
	case SIO_BINARY_ACK:
		return json.p[0] == '[';
	case SIO_DISCONNECT:
		break;
	}
	return false;
}

int sio_packet_parse(struct slice text, struct sio_packet *out)
{
	struct sio_packet p = { .ack = SIO_NO_ACK };
	size_t at = 1;
	int64_t ack;

	if (text.n == 0 || text.p[0] < '0' || text.p[0] > '6')
		return -EBADMSG;
	p.type = (enum sio_type)(text.p[0] - '0');
	if (p.type == SIO_BINARY_EVENT || p.type == SIO_BINARY_ACK) {
		if (read_attachments(text, &at, &p.attachments) != 0)
			return -EBADMSG;
	}
	p.nsp = read_namespace(text, &at);
	if (read_number(text, &at, ACK_MAX, &ack) > 0) {
		if (ack > ACK_MAX)
			return -EBADMSG;
		p.ack = ack;
	}
	p.json = (struct slice){ text.p + at, text.n - at };
	if (!payload_fits(p.type, p.json))
		return -EBADMSG;
	*out = p;
	return 0;
}

void sio_head_write(struct buf *out, enum sio_type type, unsigned attachments,
		    struct slice nsp, int64_t ack)
{
	buf_reserve(out, nsp.n + 32);
	out->p[out->len++] = '4';
	out->p[out->len++] = (char)('0' + (int)type);
	if (attachments != 0) {
		json_out_int(out, attachments);
		buf_addc(out, '-');
	}
	if (nsp.n > 1 || (nsp.n == 1 && nsp.p[0] != '/')) {
		buf_add(out, nsp.p, nsp.n);
		buf_addc(out, ',');
	}
	if (ack >= 0)
		json_out_int(out, ack);
}

bool sio_event_reserved(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved_names); i++) {
		if (strcmp(name, reserved_names[i]) == 0)
			return true;
	}
	return false;
}
