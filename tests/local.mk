# Criterion unit tests: pure code and code over a fake loop; no servers.
LOG_COMPILER = $(srcdir)/tests/run-unit.sh
dist_check_SCRIPTS += tests/run-unit.sh
TEST_LIBS = $(CRITERION_LIBS)
TEST_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)

# The layers.
dist_check_SCRIPTS += tests/check-includes
TESTS += tests/check-includes

# The app's database.
dist_check_SCRIPTS += tests/check-schema
TESTS += tests/check-schema

# The manual pages.
dist_check_SCRIPTS += tests/check-man
TESTS += tests/check-man

# pairwirectl's words in bash.
dist_check_SCRIPTS += tests/completion
TESTS += tests/completion

EXTRA_DIST += tests/run tests/killed-quickstart tests/booted tests/confined tests/packages tests/units \
	tests/boot/install.test.mjs tests/boot/machine.mjs tests/boot/service.test.mjs \
	tests/boot/sockets.test.mjs tests/boot/upgrade.test.mjs \
	tests/lib/apt.sh tests/lib/fuzz tests/lib/kafka tests/lib/report.sh tests/lib/sanitizer-reports tests/lib/servers.sh tests/lib/with-servers \
	tests/kafka/pom.xml \
	tests/ferretdb/go.mod tests/ferretdb/go.sum \
	tests/ferretdb/main.go tests/ferretdb/proxy.go \
	tests/fakes/apns.mjs tests/fakes/behaviour.mjs \
	tests/fakes/certificate.mjs tests/fakes/connections.mjs tests/fakes/fcm.mjs \
	tests/fakes/fcm_message.mjs tests/fakes/jwt.mjs tests/fakes/oauth.mjs \
	tests/fakes/providers.mjs tests/fakes/server.mjs \
	tests/integration/package.json tests/integration/package-lock.json \
	tests/integration/announce.test.mjs \
	tests/integration/binary_upgrade.test.mjs \
	tests/integration/catch_up.test.mjs \
	tests/integration/check.test.mjs \
	tests/integration/check_kafka.test.mjs \
	tests/integration/configuration.test.mjs \
	tests/integration/confirm.test.mjs \
	tests/integration/connect.test.mjs \
	tests/integration/counters.test.mjs \
	tests/integration/defects.test.mjs \
	tests/integration/disconnect.test.mjs \
	tests/integration/deflate.test.mjs \
	tests/integration/drain.test.mjs \
	tests/integration/degraded.test.mjs \
	tests/integration/emitter.test.mjs \
	tests/integration/engine.test.mjs \
	tests/integration/explain.test.mjs \
	tests/integration/fakes.test.mjs \
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
	tests/integration/lib/kafka.mjs \
	tests/integration/lib/poller.mjs \
	tests/integration/lib/port.mjs \
	tests/integration/lib/raw_http.mjs \
	tests/integration/lib/reader.mjs \
	tests/integration/lib/relay.mjs \
	tests/integration/lib/nginx.mjs \
	tests/integration/lib/prometheus.mjs \
	tests/integration/lib/pushd.mjs \
	tests/integration/lib/store.mjs \
	tests/integration/lib/supervisor.mjs \
	tests/integration/lib/systemd.mjs \
	tests/integration/lib/token.mjs \
	tests/integration/lib/wait.mjs \
	tests/integration/lib/wire.mjs \
	tests/integration/journal.test.mjs \
	tests/integration/limits.test.mjs \
	tests/integration/mapping.test.mjs \
	tests/integration/matches.test.mjs \
	tests/integration/oddities.test.mjs \
	tests/integration/opening.test.mjs \
	tests/integration/messages.test.mjs \
	tests/integration/metrics.test.mjs \
	tests/integration/nginx.test.mjs \
	tests/integration/races.test.mjs \
	tests/integration/polling.test.mjs \
	tests/integration/presence.test.mjs \
	tests/integration/processes.test.mjs \
	tests/integration/push.test.mjs \
	tests/integration/kafka_secure.test.mjs \
	tests/integration/push_kafka.test.mjs \
	tests/integration/pushd_connections.test.mjs \
	tests/integration/pushd_credentials.test.mjs \
	tests/integration/pushd_group.test.mjs \
	tests/integration/pushd_guard.test.mjs \
	tests/integration/pushd_notifications.test.mjs \
	tests/integration/pushd_repeats.test.mjs \
	tests/integration/pushd_kafka.test.mjs \
	tests/integration/pushd_kafka_deaths.test.mjs \
	tests/integration/pushd_service.test.mjs \
	tests/integration/pushd_table.test.mjs \
	tests/integration/receipts.test.mjs \
	tests/integration/public_key.test.mjs \
	tests/integration/reload.test.mjs \
	tests/integration/recovery.test.mjs \
	tests/integration/recovery_bounds.test.mjs \
	tests/integration/socket.test.mjs \
	tests/integration/statuses.test.mjs \
	tests/integration/stock.test.mjs \
	tests/integration/store-server.test.mjs \
	tests/integration/stop_hung.test.mjs \
	tests/integration/sweep.test.mjs \
	tests/integration/sync.test.mjs \
	tests/integration/systemd.test.mjs \
	tests/integration/systemd_sockets.test.mjs \
	tests/integration/transports.test.mjs \
	tests/limits/backpressure.test.mjs \
	tests/limits/catch_up.test.mjs \
	tests/integration/unread.test.mjs \
	tests/integration/upgrade.test.mjs \
	tests/limits/idle.test.mjs \
	tests/limits/lib/crate.mjs tests/limits/lib/crowd.mjs \
	tests/limits/lib/process.mjs \
	tests/limits/pushd.test.mjs tests/limits/turn.test.mjs \
	tests/operations/deploys.test.mjs \
	tests/operations/lib/fleet.mjs tests/operations/lib/knocker.mjs

# What the public Socket.IO suites are run against.
include tests/conformance/local.mk

# Processes killed and stopped under load.
include tests/faults/local.mk

# Parsers and state machines against any bytes at all.
include tests/fuzz/local.mk

# systemd's part, for tests of services.
check_PROGRAMS += tests/lib/supervise
tests_lib_supervise_SOURCES = tests/lib/supervise.c \
	tests/lib/supervise_sockets.c tests/lib/supervise_sockets.h
tests_lib_supervise_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_lib_supervise_LDADD = $(BASE_LIBS) $(JANSSON_LIBS)

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
include tests/unit/service.mk
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

include tests/unit/pushd_delivery.mk
include tests/unit/pushd_meters.mk
include tests/unit/pushd_pure.mk
include tests/unit/pushd_senders.mk
include tests/servers/pushd_delivery.mk
include tests/unit/pushd_http.mk
include tests/servers/pushd_http.mk
endif
