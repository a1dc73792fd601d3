check_PROGRAMS += tests/unit/protocol/test_protocol
tests_unit_protocol_test_protocol_SOURCES = \
	tests/unit/protocol/exact.h \
	tests/unit/protocol/auth_keys.c tests/unit/protocol/auth_keys.h \
	tests/unit/protocol/test_auth_algorithms.c \
	tests/unit/protocol/test_auth_key.c \
	tests/unit/protocol/test_auth_token.c \
	tests/unit/protocol/test_base64url.c \
	tests/unit/protocol/test_cursor.c \
	tests/unit/protocol/test_eio_packet.c \
	tests/unit/protocol/test_eio_payload.c \
	tests/unit/protocol/test_emission.c \
	tests/unit/protocol/test_envelope.c \
	tests/unit/protocol/test_http_body.c \
	tests/unit/protocol/test_http_head.c \
	tests/unit/protocol/test_ids.c \
	tests/unit/protocol/test_iso_time.c \
	tests/unit/protocol/test_json_out.c \
	tests/unit/protocol/test_proxy_header.c \
	tests/unit/protocol/test_push_event.c \
	tests/unit/protocol/test_push_event_parse.c \
	tests/unit/protocol/test_sio_packet.c \
	tests/unit/protocol/test_ws_frame.c
tests_unit_protocol_test_protocol_CFLAGS = $(TEST_CFLAGS) $(JWT_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
tests_unit_protocol_test_protocol_LDADD = $(PROTOCOL_LIBS) $(JWT_LIBS) $(TEST_LIBS)
TESTS += tests/unit/protocol/test_protocol
