#include "common/protocol/eio_packet.h"

#include <errno.h>

#include "common/protocol/json_out.h"

int eio_packet_parse(struct slice frame, struct eio_packet *out)
{
	if (frame.n == 0 || frame.p[0] < '0' || frame.p[0] > '6')
		return -EBADMSG;
	out->type = (enum eio_type)(frame.p[0] - '0');
	out->binary = false;
	out->data = (struct slice){ frame.p + 1, frame.n - 1 };
	return 0;
}

/* Key order and the set of keys are those of the Node server; its conformance
 * suite asks for exactly these five. */
void eio_open_write(struct buf *out, const char *sid, bool upgrades,
		    unsigned ping_interval_ms, unsigned ping_timeout_ms,
		    size_t max_payload)
{
	buf_adds(out, "0{\"sid\":");
	json_out_cstr(out, sid);
	buf_adds(out, upgrades ? ",\"upgrades\":[\"websocket\"]"
			       : ",\"upgrades\":[]");
	buf_adds(out, ",\"pingInterval\":");
	json_out_int(out, ping_interval_ms);
	buf_adds(out, ",\"pingTimeout\":");
	json_out_int(out, ping_timeout_ms);
	buf_adds(out, ",\"maxPayload\":");
	json_out_int(out, (int64_t)max_payload);
	buf_addc(out, '}');
}
