# Bytes to events: transport, Engine.IO, Socket.IO.
noinst_LIBRARIES += worker/libtransport.a
worker_libtransport_a_SOURCES = \
	worker/transport/client_addr.c worker/transport/client_addr.h \
	worker/transport/conn.c worker/transport/conn.h \
	worker/transport/conn_impl.h \
	worker/transport/connect_rate.c worker/transport/connect_rate.h \
	worker/transport/cors.c worker/transport/cors.h \
	worker/transport/exchange.c \
	worker/transport/farewell.c worker/transport/farewell.h \
	worker/transport/partial.c worker/transport/partial.h \
	worker/transport/handover.c worker/transport/handover.h \
	worker/transport/listener.c worker/transport/listener.h \
	worker/transport/polling.c worker/transport/polling.h \
	worker/transport/request.c worker/transport/request.h \
	worker/transport/response.c worker/transport/response.h \
	worker/transport/transport.h \
	worker/transport/ws.c worker/transport/ws.h \
	worker/transport/ws_deflate.c worker/transport/ws_deflate.h \
	worker/engineio/outbox.c worker/engineio/outbox.h \
	worker/engineio/session.c worker/engineio/session.h \
	worker/engineio/session_impl.h worker/engineio/upgrade.c \
	worker/socketio/asks.c worker/socketio/asks.h \
	worker/socketio/assembly.c worker/socketio/assembly.h \
	worker/socketio/impl.h \
	worker/socketio/json_text.c worker/socketio/json_text.h \
	worker/socketio/packets.c \
	worker/socketio/server.c \
	worker/socketio/socket.c worker/socketio/socket.h
worker_libtransport_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(LWS_CFLAGS) $(UV_CFLAGS) $(ZLIB_CFLAGS) $(JANSSON_CFLAGS)
