# Criterion unit tests: pure code and code over a fake loop; no servers.
LOG_COMPILER = $(srcdir)/tests/run-unit.sh
dist_check_SCRIPTS += tests/run-unit.sh
TEST_LIBS = $(CRITERION_LIBS)
TEST_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)

# The layers.
dist_check_SCRIPTS += tests/check-includes
TESTS += tests/check-includes

EXTRA_DIST += tests/run tests/killed-quickstart \
	tests/lib/apt.sh tests/lib/fuzz tests/lib/report.sh tests/lib/servers.sh tests/lib/with-servers \
	tests/ferretdb/go.mod tests/ferretdb/go.sum \
	tests/ferretdb/main.go tests/ferretdb/proxy.go \
	tests/integration/package.json tests/integration/package-lock.json \
	tests/integration/announce.test.mjs \
	tests/integration/catch_up.test.mjs \
	tests/integration/confirm.test.mjs \
	tests/integration/connect.test.mjs \
	tests/integration/counters.test.mjs \
	tests/integration/defects.test.mjs \
	tests/integration/deflate.test.mjs \
	tests/integration/degraded.test.mjs \
	tests/integration/emitter.test.mjs \
	tests/integration/engine.test.mjs \
	tests/integration/explain.test.mjs \
	tests/integration/handover.test.mjs \
	tests/integration/heartbeat.test.mjs \
	tests/integration/hostile.test.mjs \
	tests/integration/hosts.test.mjs \
	tests/integration/http.test.mjs \
	tests/integration/lib/client.mjs \
	tests/integration/lib/echo.mjs \
	tests/integration/lib/engine_cases.mjs \
	tests/integration/lib/cluster.mjs \
	tests/integration/lib/gone.mjs \
	tests/integration/lib/poller.mjs \
	tests/integration/lib/raw_http.mjs \
	tests/integration/lib/reader.mjs \
	tests/integration/lib/relay.mjs \
	tests/integration/lib/nginx.mjs \
	tests/integration/lib/prometheus.mjs \
	tests/integration/lib/store.mjs \
	tests/integration/lib/token.mjs \
	tests/integration/lib/wait.mjs \
	tests/integration/lib/wire.mjs \
	tests/integration/limits.test.mjs \
	tests/integration/matches.test.mjs \
	tests/integration/oddities.test.mjs \
	tests/integration/messages.test.mjs \
	tests/integration/metrics.test.mjs \
	tests/integration/nginx.test.mjs \
	tests/integration/races.test.mjs \
	tests/integration/polling.test.mjs \
	tests/integration/presence.test.mjs \
	tests/integration/processes.test.mjs \
	tests/integration/push.test.mjs \
	tests/integration/receipts.test.mjs \
	tests/integration/recovery.test.mjs \
	tests/integration/recovery_bounds.test.mjs \
	tests/integration/socket.test.mjs \
	tests/integration/statuses.test.mjs \
	tests/integration/stock.test.mjs \
	tests/integration/store-server.test.mjs \
	tests/integration/sweep.test.mjs \
	tests/integration/sync.test.mjs \
	tests/integration/transports.test.mjs \
	tests/limits/backpressure.test.mjs \
	tests/integration/unread.test.mjs \
	tests/integration/upgrade.test.mjs \
	tests/limits/idle.test.mjs \
	tests/limits/lib/crowd.mjs \
	tests/limits/lib/process.mjs \
	tests/limits/turn.test.mjs

# What the public Socket.IO suites are run against.
include tests/conformance/local.mk

# Processes killed and stopped under load.
include tests/faults/local.mk

# Parsers and state machines against any bytes at all.
include tests/fuzz/local.mk

# Of distcheck, too.
EXTRA_DIST += tests/installed
installcheck-local:
	DESTDIR='$(DESTDIR)' bindir='$(bindir)' sbindir='$(sbindir)' \
		libexecdir='$(libexecdir)' pkgdatadir='$(pkgdatadir)' \
		$(srcdir)/tests/installed

# For tests/run: the names, one a line.
.PHONY: print-tests
print-tests:
	@for t in $(TESTS); do echo $$t; done

if HAVE_CRITERION
include tests/unit/base.mk
include tests/unit/protocol.mk
include tests/unit/conf_ipc.mk
include tests/unit/backend.mk
include tests/unit/store.mk
include tests/unit/routing.mk
include tests/unit/transport.mk
include tests/unit/chat.mk

# Programs against real servers, named by PW_TEST_* in the environment: built
# by check, started by tests/run.
include tests/servers/backend.mk
include tests/servers/store.mk
include tests/servers/routing.mk
include tests/servers/directory.mk
endif
