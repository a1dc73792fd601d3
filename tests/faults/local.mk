# The push queue's reader, until pushd is.
check_PROGRAMS += tests/faults/push_reader
tests_faults_push_reader_SOURCES = tests/faults/push_reader.c
tests_faults_push_reader_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_faults_push_reader_LDADD = $(STORE_LIBS) $(QUEUE_LIBS) $(IPC_LIBS) $(PROTOCOL_LIBS) $(LOOP_LIBS)
