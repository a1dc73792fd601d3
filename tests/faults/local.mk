# The books under faults: tests/faults/run.
EXTRA_DIST += tests/faults/run tests/faults/main.mjs tests/faults/row.mjs tests/faults/device.mjs \
	tests/faults/lib/balancer.mjs \
	tests/faults/lib/books.mjs \
	tests/faults/lib/cast.mjs \
	tests/faults/lib/device.mjs \
	tests/faults/lib/host.mjs \
	tests/faults/lib/ledger.mjs \
	tests/faults/lib/load.mjs \
	tests/faults/lib/packages.mjs \
	tests/faults/lib/play.mjs \
	tests/faults/lib/process.mjs \
	tests/faults/lib/reader.mjs \
	tests/faults/lib/remote.mjs \
	tests/faults/lib/rows.mjs \
	tests/faults/lib/servers.mjs \
	tests/faults/lib/settings.mjs \
	tests/faults/lib/stored.mjs \
	tests/faults/lib/table.mjs \
	tests/faults/lib/world.mjs

# The push queue's reader, until pushd is.
check_PROGRAMS += tests/faults/push_reader
tests_faults_push_reader_SOURCES = tests/faults/push_reader.c
tests_faults_push_reader_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_faults_push_reader_LDADD = $(STORE_LIBS) $(QUEUE_LIBS) $(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS)
