sbin_PROGRAMS += master/pairwire
master_pairwire_SOURCES = master/main.c
master_pairwire_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
master_pairwire_LDADD = $(CONF_LIBS) $(IPC_LIBS) $(LOOP_LIBS) $(JANSSON_LIBS)

bin_PROGRAMS += master/pairwirectl
master_pairwirectl_SOURCES = master/pairwirectl.c
master_pairwirectl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
master_pairwirectl_LDADD = $(CONF_LIBS) $(JANSSON_LIBS)
