# What speaks the client protocol is a library, for the tests.
noinst_LIBRARIES += bench/libbench.a
bench_libbench_a_SOURCES = \
	bench/client.c bench/client.h bench/client_internal.h \
	bench/client_packets.c \
	bench/options.c bench/options.h \
	bench/target.c bench/target.h \
	bench/upgrade.c bench/upgrade.h
bench_libbench_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)

bin_PROGRAMS += bench/pairwire-bench
bench_pairwire_bench_SOURCES = \
	bench/main.c bench/command.h \
	bench/conversation.c bench/conversation.h bench/conversation_events.c \
	bench/conversation_away.c bench/conversation_away.h \
	bench/idle.c \
	bench/talk.c \
	bench/talk_lines.c bench/talk_lines.h \
	bench/talk_view.c bench/talk_view.h
bench_pairwire_bench_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
bench_pairwire_bench_LDADD = bench/libbench.a $(PROTOCOL_LIBS) $(LOOP_LIBS)

if HAVE_CRITERION
check_PROGRAMS += tests/unit/bench/test_bench
tests_unit_bench_test_bench_SOURCES = \
	tests/unit/bench/test_client.c \
	tests/unit/bench/test_options.c \
	tests/unit/bench/test_upgrade.c
tests_unit_bench_test_bench_CFLAGS = $(TEST_CFLAGS)
tests_unit_bench_test_bench_LDADD = bench/libbench.a $(PROTOCOL_LIBS) $(LOOP_LIBS) $(TEST_LIBS)
TESTS += tests/unit/bench/test_bench
endif
