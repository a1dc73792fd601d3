# What of the events needs no library handle: values in, values out.
noinst_LIBRARIES += worker/libchatpure.a
worker_libchatpure_a_SOURCES = \
	worker/chat/answers.c worker/chat/answers.h \
	worker/chat/fields.c worker/chat/fields.h \
	worker/chat/frames.c worker/chat/frames.h \
	worker/chat/pendings.c worker/chat/pendings.h \
	worker/chat/recovery.c worker/chat/recovery.h \
	worker/chat/seen.c worker/chat/seen.h \
	worker/chat/send_rate.c worker/chat/send_rate.h \
	worker/chat/src.c worker/chat/src.h \
	worker/chat/stream.c worker/chat/stream.h \
	worker/chat/users.c worker/chat/users.h
worker_libchatpure_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

# What the events do, and the worker's graph of objects.
noinst_LIBRARIES += worker/libchat.a
worker_libchat_a_SOURCES = \
	worker/chat/announce.c worker/chat/announce.h \
	worker/chat/catch_up.c worker/chat/catch_up.h \
	worker/chat/catch_up_all.c worker/chat/catch_up_impl.h \
	worker/chat/catch_up_page.c \
	worker/chat/chat.c worker/chat/chat.h \
	worker/chat/confirm.c worker/chat/confirm.h \
	worker/chat/connect.c worker/chat/connect.h \
	worker/chat/emit.c worker/chat/emit.h \
	worker/chat/events.c \
	worker/chat/expiry.c worker/chat/expiry.h \
	worker/chat/member.c worker/chat/member.h \
	worker/chat/presence_get.c \
	worker/chat/push_due.c worker/chat/push_due.h \
	worker/chat/take_back.c worker/chat/take_back.h \
	worker/chat/read.c \
	worker/chat/receipts.c worker/chat/receipts.h \
	worker/chat/received.c \
	worker/chat/route.c worker/chat/route.h \
	worker/chat/relay.c worker/chat/relay.h \
	worker/chat/send.c \
	worker/chat/sweep.c worker/chat/sweep.h \
	worker/chat/sync.c \
	worker/chat/typing.c \
	worker/chat/unread.c worker/chat/unread.h \
	worker/chat/unrouted.c worker/chat/unrouted.h \
	worker/master_link.c worker/master_link.h \
	worker/check.c worker/check.h \
	worker/queries.c worker/queries.h \
	worker/reload.c worker/reload.h \
	worker/retire.c worker/retire.h \
	worker/settings.c worker/settings.h \
	worker/worker.c worker/worker.h
worker_libchat_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
