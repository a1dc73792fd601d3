# transport
TRANSPORT_TEST_LIBS = worker/libtransport.a $(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) \
	$(LWS_LIBS) $(UV_LIBS) $(ZLIB_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test_outbox
tests_unit_test_outbox_SOURCES = tests/unit/test_outbox.c
tests_unit_test_outbox_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_outbox_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_outbox

check_PROGRAMS += tests/unit/test_session
tests_unit_test_session_SOURCES = tests/unit/test_session.c \
	tests/unit/test_session_closing.c \
	tests/unit/one_session.c tests/unit/one_session.h \
	tests/unit/fake_transport.c tests/unit/fake_transport.h
tests_unit_test_session_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_session_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_session

check_PROGRAMS += tests/unit/test_upgrade
tests_unit_test_upgrade_SOURCES = tests/unit/test_upgrade.c \
	tests/unit/fake_transport.c tests/unit/fake_transport.h
tests_unit_test_upgrade_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_upgrade_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_upgrade

check_PROGRAMS += tests/unit/test_socket
tests_unit_test_socket_SOURCES = tests/unit/test_socket.c \
	tests/unit/test_socket_binary.c \
	tests/unit/test_socket_recovery.c \
	tests/unit/test_json_text.c \
	tests/unit/sio_app.c tests/unit/sio_app.h \
	tests/unit/fake_transport.c tests/unit/fake_transport.h
tests_unit_test_socket_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_socket_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_socket

check_PROGRAMS += tests/unit/test_request
tests_unit_test_request_SOURCES = tests/unit/test_request.c
tests_unit_test_request_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_request_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_request

check_PROGRAMS += tests/unit/test_ws
tests_unit_test_ws_SOURCES = tests/unit/test_ws.c \
	tests/unit/test_listener.c tests/unit/ws_echo.c tests/unit/ws_echo.h \
	tests/unit/eio_echo.c tests/unit/eio_echo.h \
	tests/unit/fake_transport.c tests/unit/fake_transport.h
tests_unit_test_ws_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_ws_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_ws

check_PROGRAMS += tests/unit/test_clients
tests_unit_test_clients_SOURCES = tests/unit/test_client_addr.c \
	tests/unit/test_connect_rate.c tests/unit/test_cors.c
tests_unit_test_clients_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_clients_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_clients

check_PROGRAMS += tests/unit/test_handover
tests_unit_test_handover_SOURCES = tests/unit/test_handover.c tests/unit/handover_ends.h \
	tests/unit/fake_transport.c tests/unit/fake_transport.h
tests_unit_test_handover_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_handover_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_handover

check_PROGRAMS += tests/unit/test_ws_deflate
tests_unit_test_ws_deflate_SOURCES = tests/unit/test_ws_deflate.c
tests_unit_test_ws_deflate_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_ws_deflate_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_ws_deflate

check_PROGRAMS += tests/unit/test_ws_adopt
tests_unit_test_ws_adopt_SOURCES = tests/unit/test_ws_adopt.c \
	tests/unit/eio_echo.c tests/unit/eio_echo.h \
	tests/unit/fake_transport.c tests/unit/fake_transport.h
tests_unit_test_ws_adopt_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_ws_adopt_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_ws_adopt

check_PROGRAMS += tests/unit/test_polling
tests_unit_test_polling_SOURCES = tests/unit/test_polling.c \
	tests/unit/test_polling_end.c tests/unit/test_polling_move.c \
	tests/unit/fake_transport.c tests/unit/fake_transport.h \
	tests/unit/eio_echo.c tests/unit/eio_echo.h \
	tests/unit/wire.c tests/unit/wire.h
tests_unit_test_polling_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_polling_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_polling

check_PROGRAMS += tests/unit/test_conn
tests_unit_test_conn_SOURCES = tests/unit/test_conn.c \
	tests/unit/test_conn_end.c \
	tests/unit/test_conn_handover.c \
	tests/unit/fake_transport.c tests/unit/fake_transport.h \
	tests/unit/eio_echo.c tests/unit/eio_echo.h \
	tests/unit/wire.c tests/unit/wire.h
tests_unit_test_conn_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_conn_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_conn

check_PROGRAMS += tests/unit/test_crowd
tests_unit_test_crowd_SOURCES = tests/unit/test_crowd.c \
	tests/unit/fake_transport.c tests/unit/fake_transport.h \
	tests/unit/eio_echo.c tests/unit/eio_echo.h \
	tests/unit/wire.c tests/unit/wire.h
tests_unit_test_crowd_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_crowd_LDADD = $(TRANSPORT_TEST_LIBS)
TESTS += tests/unit/test_crowd
