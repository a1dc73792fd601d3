#define _GNU_SOURCE	/* memmem */
#include "bench/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "common/protocol/ws_frame.h"

#define ANSWER_MAX 16384

void upgrade_request(struct buf *out, const char *host,
		     const unsigned char random[16], char accept[29])
{
	unsigned char key[25];

	EVP_EncodeBlock(key, random, 16);
	ws_accept((struct slice){ (const char *)key, 24 }, accept);
	buf_printf(out,
		   "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
		   "Host: %s\r\n"
		   "Connection: Upgrade\r\n"
		   "Upgrade: websocket\r\n"
		   "Sec-WebSocket-Version: 13\r\n"
		   "Sec-WebSocket-Key: %s\r\n"
		   "User-Agent: pairwire-bench\r\n"
		   "\r\n", host, (const char *)key);
}

/* The value of a field in the lines of head; p NULL when absent. */
static struct slice field(struct slice head, const char *name)
{
	size_t name_len = strlen(name);
	const char *end = head.p + head.n;
	const char *line = head.p;

	while (line < end) {
		const char *eol = memmem(line, (size_t)(end - line), "\r\n", 2);
		const char *v = line + name_len + 1;

		if (eol == NULL)
			break;
		if (v <= eol && v[-1] == ':' &&
		    strncasecmp(line, name, name_len) == 0) {
			while (v < eol && (*v == ' ' || *v == '\t'))
				v++;
			while (eol > v && (eol[-1] == ' ' || eol[-1] == '\t'))
				eol--;
			return (struct slice){ v, (size_t)(eol - v) };
		}
		line = eol + 2;
	}
	return (struct slice){ 0 };
}

/* Of text from a server only what is harmless on a terminal. */
static void copy_printable(char *out, size_t size, struct slice in)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n && n + 1 < size; i++) {
		if (in.p[i] < ' ' || in.p[i] == 0x7f)
			break;
		out[n++] = in.p[i];
	}
	out[n] = '\0';
}

static long refused(struct slice in, size_t head_len, char err[256])
{
	char status[64], body[128];

	copy_printable(status, sizeof(status),
		       (struct slice){ in.p + 9, in.n - 9 });
	copy_printable(body, sizeof(body), (struct slice){ in.p + head_len,
							   in.n - head_len });
	snprintf(err, 256, "the server refuses a WebSocket here: %s%s%s", status,
		 *body != '\0' ? ": " : "", body);
	return -EPROTO;
}

long upgrade_answer(struct slice in, const char accept[29], char err[256])
{
	const char *end = in.n > 0 ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL;
	struct slice head, got;
	size_t len;

	if (in.n >= 9 && memcmp(in.p, "HTTP/1.1 ", 9) != 0) {
		snprintf(err, 256, "what listens there does not speak HTTP/1.1");
		return -EPROTO;
	}
	if (end == NULL) {
		if (in.n < ANSWER_MAX)
			return 0;
		snprintf(err, 256, "the server's answer has no end");
		return -EPROTO;
	}
	len = (size_t)(end - in.p) + 4;
	if (len < 16 || memcmp(in.p + 9, "101", 3) != 0)
		return refused(in, len, err);
	head = (struct slice){ in.p, len - 2 };
	got = field(head, "Upgrade");
	if (got.n != 9 || strncasecmp(got.p, "websocket", 9) != 0) {
		snprintf(err, 256, "the server upgrades to something else");
		return -EPROTO;
	}
	got = field(head, "Sec-WebSocket-Accept");
	if (got.n != 28 || memcmp(got.p, accept, 28) != 0) {
		snprintf(err, 256, "the server's Sec-WebSocket-Accept is wrong");
		return -EPROTO;
	}
	return (long)len;
}
