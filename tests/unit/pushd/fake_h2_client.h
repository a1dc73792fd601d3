/* Stands for pushd/h2_client: keeps what is asked, and the test answers. */
#ifndef PW_TEST_FAKE_H2_CLIENT_H
#define PW_TEST_FAKE_H2_CLIENT_H

#include "common/base/list.h"
#include "pushd/h2_client.h"

#define FAKE_HEADERS_MAX 16

struct fake_request {
	struct list node;
	struct h2_client *client;
	char *url;		/* of the client */
	char *method;
	char *path;
	struct { char *name, *value; bool unique; } headers[FAKE_HEADERS_MAX];
	size_t nheaders;
	char *body;		/* with a NUL behind it */
	unsigned timeout_ms;
	h2_cb *cb;
	void *arg;
};

/* The oldest one without an answer; to a client whose URL begins like this
 * (NULL: to any). NULL: there is none. */
struct fake_request *fake_h2_next(const char *url);
/* How many of them there are. */
size_t fake_h2_waiting(const char *url);
/* Clients that exist; requests ever sent. */
size_t fake_h2_clients(void);
size_t fake_h2_sent(void);
/* NULL: no such header. */
const char *fake_request_header(const struct fake_request *r, const char *name);
/* Calls back and frees r. retry_after: NULL for none. */
void fake_h2_answer(struct fake_request *r, int status, const char *body);
void fake_h2_answer_after(struct fake_request *r, int status, const char *body,
			  const char *retry_after);
void fake_h2_fail(struct fake_request *r, int err);

#endif
