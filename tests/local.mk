# Criterion unit tests: pure code and code over a fake loop; no servers.
LOG_COMPILER = $(srcdir)/tests/run-unit.sh
dist_check_SCRIPTS += tests/run-unit.sh
TEST_LIBS = $(CRITERION_LIBS)
TEST_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)

if HAVE_CRITERION
include tests/unit/base.mk
include tests/unit/protocol.mk
include tests/unit/conf_ipc.mk
include tests/unit/backend.mk
include tests/unit/store.mk
include tests/unit/routing.mk
include tests/unit/transport.mk
include tests/unit/chat.mk
endif
