# Fuzz targets: fuzzers when configured with --enable-fuzzing (make fuzzers), else
# tests that replay the corpora.
FUZZERS = \
	tests/fuzz/fuzz_auth_token \
	tests/fuzz/fuzz_ctl \
	tests/fuzz/fuzz_cursor \
	tests/fuzz/fuzz_eio_payload \
	tests/fuzz/fuzz_emission \
	tests/fuzz/fuzz_http_body \
	tests/fuzz/fuzz_http_head \
	tests/fuzz/fuzz_polling \
	tests/fuzz/fuzz_proxy_header \
	tests/fuzz/fuzz_push_answer \
	tests/fuzz/fuzz_push_event \
	tests/fuzz/fuzz_request \
	tests/fuzz/fuzz_session \
	tests/fuzz/fuzz_sio_packet \
	tests/fuzz/fuzz_ws_message
check_PROGRAMS += $(FUZZERS)
EXTRA_DIST += tests/fuzz/corpus \
	tests/fuzz/auth_token.dict tests/fuzz/ctl.dict tests/fuzz/eio_payload.dict tests/fuzz/emission.dict tests/fuzz/http_body.dict tests/fuzz/http_head.dict \
	tests/fuzz/polling.dict tests/fuzz/proxy_header.dict \
	tests/fuzz/push_answer.dict tests/fuzz/push_event.dict tests/fuzz/request.dict \
	tests/fuzz/session.dict tests/fuzz/sio_packet.dict tests/fuzz/ws_message.dict

if FUZZING
FUZZ_MAIN =
else
check_LIBRARIES += tests/fuzz/libreplay.a
tests_fuzz_libreplay_a_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz.h
FUZZ_MAIN = tests/fuzz/libreplay.a
TESTS += $(FUZZERS)
endif

tests_fuzz_fuzz_auth_token_SOURCES = tests/fuzz/fuzz_auth_token.c tests/fuzz/fuzz.h tests/unit/public_keys.h
tests_fuzz_fuzz_auth_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_auth_token_LDADD = $(FUZZ_MAIN) $(PROTOCOL_LIBS)

tests_fuzz_fuzz_ctl_SOURCES = tests/fuzz/fuzz_ctl.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_ctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_ctl_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ctl_LDADD = $(FUZZ_MAIN) master/libmaster.a $(BASE_LIBS) $(JANSSON_LIBS)

tests_fuzz_fuzz_cursor_SOURCES = tests/fuzz/fuzz_cursor.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_cursor_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cursor_LDADD = $(FUZZ_MAIN) $(PROTOCOL_LIBS)

tests_fuzz_fuzz_eio_payload_SOURCES = tests/fuzz/fuzz_eio_payload.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_eio_payload_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_eio_payload_LDADD = $(FUZZ_MAIN) $(PROTOCOL_LIBS)

tests_fuzz_fuzz_emission_SOURCES = tests/fuzz/fuzz_emission.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_emission_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_emission_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_emission_LDADD = $(FUZZ_MAIN) $(PROTOCOL_LIBS)

tests_fuzz_fuzz_http_body_SOURCES = tests/fuzz/fuzz_http_body.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_http_body_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_http_body_LDADD = $(FUZZ_MAIN) $(PROTOCOL_LIBS)

tests_fuzz_fuzz_http_head_SOURCES = tests/fuzz/fuzz_http_head.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_http_head_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_http_head_LDADD = $(FUZZ_MAIN) $(PROTOCOL_LIBS)

# Before LOOP_LIBS: fake_loop.o takes the place of loop.o; and fuzz_polling.o that
# of conn.o.
tests_fuzz_fuzz_polling_SOURCES = tests/fuzz/fuzz_polling.c tests/fuzz/fuzz.h \
	tests/fuzz/fake_loop.c tests/fuzz/fake_loop.h
tests_fuzz_fuzz_polling_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_polling_LDADD = $(FUZZ_MAIN) worker/libtransport.a $(IPC_LIBS) \
	$(PROTOCOL_LIBS) $(LOOP_LIBS)

tests_fuzz_fuzz_proxy_header_SOURCES = tests/fuzz/fuzz_proxy_header.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_proxy_header_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_proxy_header_LDADD = $(FUZZ_MAIN) $(PROTOCOL_LIBS)

tests_fuzz_fuzz_push_answer_SOURCES = tests/fuzz/fuzz_push_answer.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_push_answer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_push_answer_LDADD = $(FUZZ_MAIN) $(PUSHPURE_LIBS)

tests_fuzz_fuzz_push_event_SOURCES = tests/fuzz/fuzz_push_event.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_push_event_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_push_event_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_push_event_LDADD = $(FUZZ_MAIN) $(PUSHPURE_LIBS)

tests_fuzz_fuzz_sio_packet_SOURCES = tests/fuzz/fuzz_sio_packet.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_sio_packet_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_sio_packet_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_sio_packet_LDADD = $(FUZZ_MAIN) worker/libtransport.a $(PROTOCOL_LIBS)

tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_request_LDADD = $(FUZZ_MAIN) worker/libtransport.a $(IPC_LIBS) $(PROTOCOL_LIBS)

tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c tests/fuzz/fuzz.h \
	tests/fuzz/session_app.c tests/fuzz/session_streams.c tests/fuzz/session_world.h \
	tests/fuzz/fake_loop.c tests/fuzz/fake_loop.h
tests_fuzz_fuzz_session_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_session_LDADD = $(FUZZ_MAIN) worker/libtransport.a $(IPC_LIBS) \
	$(PROTOCOL_LIBS) $(LOOP_LIBS)

tests_fuzz_fuzz_ws_message_SOURCES = tests/fuzz/fuzz_ws_message.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_ws_message_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ws_message_LDADD = $(FUZZ_MAIN) worker/libtransport.a $(BASE_LIBS) $(ZLIB_LIBS)

.PHONY: fuzzers
fuzzers: $(FUZZERS)
