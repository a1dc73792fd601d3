noinst_LIBRARIES += common/libprotocol.a
common_libprotocol_a_SOURCES = \
	common/protocol/auth_key.c common/protocol/auth_key.h \
	common/protocol/auth_token.c common/protocol/auth_token.h \
	common/protocol/base64url.c common/protocol/base64url.h \
	common/protocol/cursor.c common/protocol/cursor.h \
	common/protocol/eio_packet.c common/protocol/eio_packet.h \
	common/protocol/eio_payload.c common/protocol/eio_payload.h \
	common/protocol/emission.c common/protocol/emission.h \
	common/protocol/envelope.c common/protocol/envelope.h \
	common/protocol/http_body.c common/protocol/http_body.h \
	common/protocol/http_head.c common/protocol/http_head.h \
	common/protocol/ids.c common/protocol/ids.h \
	common/protocol/iso_time.c common/protocol/iso_time.h \
	common/protocol/json_out.c common/protocol/json_out.h \
	common/protocol/msgpack_claims.c common/protocol/msgpack_claims.h \
	common/protocol/proxy_header.c common/protocol/proxy_header.h \
	common/protocol/push_event.c common/protocol/push_event.h \
	common/protocol/push_event_parse.c \
	common/protocol/sio_packet.c common/protocol/sio_packet.h \
	common/protocol/ws_frame.c common/protocol/ws_frame.h
common_libprotocol_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) \
	$(MSGPACK_CFLAGS)
