/* A binary event or acknowledgement on its way: the text packet came, its
 * attachments follow as binary messages. (socketio.md 7) */
#ifndef PW_SIO_ASSEMBLY_H
#define PW_SIO_ASSEMBLY_H

#include <jansson.h>

#include "common/base/buf.h"
#include "common/protocol/sio_packet.h"

struct sio_nsp;

struct sio_assembly {
	enum sio_type type;
	struct sio_nsp *nsp;	/* borrowed */
	int64_t ack;
	json_t *name;		/* owned; NULL when the text is kept */
	unsigned count, want;
	bool keep;
	bool too_large;		/* the packet's JSON, which was not parsed */
	struct buf text;	/* the kept JSON: a tree of it may weigh 70 times
				 * as much, and the client takes its time */
	struct buf bytes;	/* kept attachments, one behind the other */
	size_t ends[SIO_ATTACHMENTS_MAX];
};

/* name is taken. keep: store the packet's JSON and the attachments' bytes. */
struct sio_assembly *sio_assembly_new(const struct sio_packet *p,
				      struct sio_nsp *nsp, json_t *name,
				      bool keep);
void sio_assembly_free(struct sio_assembly **a);
/* True when this was the last one. */
bool sio_assembly_add(struct sio_assembly *a, struct slice attachment);
/* Kept attachments as slices; out has room for all. */
void sio_assembly_slices(const struct sio_assembly *a, struct slice *out);
/* Every placeholder in json names one of n attachments. */
bool sio_placeholders_ok(const json_t *json, unsigned n);

#endif
