unit_chat = \
	tests/unit/chat/test_announce \
	tests/unit/chat/test_answers \
	tests/unit/chat/test_catch_up \
	tests/unit/chat/test_confirm \
	tests/unit/chat/test_expiry \
	tests/unit/chat/test_fields \
	tests/unit/chat/test_frames \
	tests/unit/chat/test_pendings \
	tests/unit/chat/test_push_due \
	tests/unit/chat/test_seen \
	tests/unit/chat/test_send \
	tests/unit/chat/test_send_rate \
	tests/unit/chat/test_sweep \
	tests/unit/chat/test_take_back \
	tests/unit/chat/test_unread \
	tests/unit/chat/test_receipts \
	tests/unit/chat/test_unrouted \
	tests/unit/chat/test_users
check_PROGRAMS += $(unit_chat)
TESTS += $(unit_chat)
tests_unit_chat_test_catch_up_SOURCES = tests/unit/chat/test_catch_up.c \
	tests/unit/chat/test_catch_up_recovery.c \
	tests/unit/chat/catch_up_world.c tests/unit/chat/catch_up_world.h
tests_unit_chat_test_catch_up_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_catch_up_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_expiry_SOURCES = tests/unit/chat/test_expiry.c
tests_unit_chat_test_expiry_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_expiry_LDADD = worker/libchat.a worker/libchatpure.a $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_fields_SOURCES = tests/unit/chat/test_fields.c
tests_unit_chat_test_fields_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_fields_LDADD = worker/libchatpure.a $(STORE_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)
tests_unit_chat_test_frames_SOURCES = tests/unit/chat/test_frames.c
tests_unit_chat_test_frames_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_frames_LDADD = worker/libchatpure.a $(STORE_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)
tests_unit_chat_test_users_SOURCES = tests/unit/chat/test_users.c
tests_unit_chat_test_users_CFLAGS = $(TEST_CFLAGS)
tests_unit_chat_test_users_LDADD = worker/libchatpure.a $(STORE_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)
tests_unit_chat_test_send_rate_SOURCES = tests/unit/chat/test_send_rate.c
tests_unit_chat_test_send_rate_CFLAGS = $(TEST_CFLAGS)
tests_unit_chat_test_send_rate_LDADD = worker/libchatpure.a $(PROTOCOL_LIBS) $(TEST_LIBS)
tests_unit_chat_test_push_due_SOURCES = tests/unit/chat/test_push_due.c
tests_unit_chat_test_push_due_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_push_due_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_take_back_SOURCES = tests/unit/chat/test_take_back.c
tests_unit_chat_test_take_back_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_take_back_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_seen_SOURCES = tests/unit/chat/test_seen.c
tests_unit_chat_test_seen_CFLAGS = $(TEST_CFLAGS)
tests_unit_chat_test_seen_LDADD = worker/libchatpure.a $(PROTOCOL_LIBS) $(TEST_LIBS)
tests_unit_chat_test_send_SOURCES = tests/unit/chat/test_send.c tests/unit/chat/test_send_outcomes.c \
	tests/unit/chat/send_world.c tests/unit/chat/send_world.h
tests_unit_chat_test_send_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_send_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_confirm_SOURCES = tests/unit/chat/test_confirm.c tests/unit/chat/id_of.h
tests_unit_chat_test_confirm_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_confirm_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_pendings_SOURCES = tests/unit/chat/test_pendings.c tests/unit/chat/id_of.h
tests_unit_chat_test_pendings_CFLAGS = $(TEST_CFLAGS)
tests_unit_chat_test_pendings_LDADD = worker/libchatpure.a $(STORE_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)
tests_unit_chat_test_sweep_SOURCES = tests/unit/chat/test_sweep.c
tests_unit_chat_test_sweep_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_sweep_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_announce_SOURCES = tests/unit/chat/test_announce.c
tests_unit_chat_test_announce_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_announce_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_answers_SOURCES = tests/unit/chat/test_answers.c
tests_unit_chat_test_answers_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_answers_LDADD = worker/libchatpure.a $(STORE_LIBS) $(PROTOCOL_LIBS) $(TEST_LIBS)
tests_unit_chat_test_receipts_SOURCES = tests/unit/chat/test_receipts.c tests/servers/loop_wait.h
tests_unit_chat_test_receipts_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_receipts_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_unrouted_SOURCES = tests/unit/chat/test_unrouted.c tests/servers/loop_wait.h
tests_unit_chat_test_unrouted_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_unrouted_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
tests_unit_chat_test_unread_SOURCES = tests/unit/chat/test_unread.c
tests_unit_chat_test_unread_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_chat_test_unread_LDADD = worker/libchat.a worker/libchatpure.a $(STORE_LIBS) \
	$(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
