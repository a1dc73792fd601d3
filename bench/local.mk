bin_PROGRAMS += bench/pairwire-bench
bench_pairwire_bench_SOURCES = bench/main.c
bench_pairwire_bench_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
bench_pairwire_bench_LDADD = $(PROTOCOL_LIBS) $(LOOP_LIBS)
