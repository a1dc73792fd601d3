# The real servers of the tests: redis-server, PostgreSQL, MongoDB (mongod, else
# FerretDB), on free loopback ports, in one temporary directory. Sourced, by
# tests/run and tests/lib/with-servers. Exports where they are:
#   PW_TEST_REDIS_HOST PW_TEST_REDIS_PORT PW_TEST_DATABASE_URL PW_TEST_MONGODB_URI
# and, by start_kafka, which is for those that need it, PW_TEST_KAFKA (host:port).

# The environment beats the configuration file, and PG* would redirect libpq:
# nothing of the caller's reaches what is under test.
unset ${!PAIRWIRE_@} ${!PG@} WS_PORT REDIS_HOST REDIS_PORT REDIS_PASSWORD \
	REDISCLI_AUTH DATABASE_URL MONGODB_URI KAFKA_BROKERS JWT_SECRET \
	JWT_PUBLIC_KEY_FILE ALLOWED_ORIGINS ${!FIREBASE_@} PW_TEST_KAFKA

servers_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SERVERS_DIR=
redis_pid= mongo_pid= kafka_pid= pg_running=

free_port() {
	node "$servers_lib/../integration/lib/port.mjs"
}

# until_ok SECONDS CMD...: until CMD succeeds. Bounded polling of servers that
# have no other way to say that they are ready.
until_ok() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# As user postgres when root: initdb and postgres refuse root.
as_postgres() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
	else
		"$@"
	fi
}

pg_bindir() {
	ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1
}

# start_redis [NAME]: NAME for a second one
start_redis() {
	local d=$SERVERS_DIR/${1:-redis} port try
	mkdir -p "$d"
	for try in 1 2 3; do
		port=$(free_port)
		redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no \
			--dir "$d" --enable-debug-command local >"$d/log" 2>&1 &
		redis_pid=$!
		if until_ok 10 redis-cli -h 127.0.0.1 -p "$port" ping && kill -0 $redis_pid; then
			export PW_TEST_REDIS_HOST=127.0.0.1 PW_TEST_REDIS_PORT=$port
			return 0
		fi
		kill $redis_pid 2>/dev/null
	done
	cat "$d/log" >&2
	return 1
}

start_pg() {
	local d=$SERVERS_DIR/pg bin port try
	bin=$(pg_bindir)
	mkdir -p "$d"
	[ "$(id -u)" -ne 0 ] || chown postgres "$d"
	(cd / && as_postgres "$bin/initdb" -D "$d/data" -A trust -U postgres -E UTF8 \
		--no-locale -N) >"$SERVERS_DIR/initdb.log" 2>&1 ||
		{ cat "$SERVERS_DIR/initdb.log" >&2; return 1; }
	for try in 1 2 3; do
		port=$(free_port)
		# pg_ctl hands the options to a shell: a line break would end them
		if (cd / && as_postgres "$bin/pg_ctl" -D "$d/data" -w -t 30 -l "$d/log" -o \
			"$(echo -p $port -k "$d" -c listen_addresses=127.0.0.1 -c fsync=off \
				-c full_page_writes=off -c max_connections=900 \
				-c client_connection_check_interval=500)" start) \
			>"$SERVERS_DIR/pg_ctl.log" 2>&1; then
			pg_running=1
			export PW_TEST_DATABASE_URL=postgresql://postgres@127.0.0.1:$port/postgres
			return 0
		fi
	done
	cat "$SERVERS_DIR/pg_ctl.log" "$d/log" >&2
	return 1
}

# The module's hash names the binary, so that it is built once per version.
ferretdb_binary() {
	local src=$servers_lib/../ferretdb cache
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/pairwire-tests
	echo "$cache/ferretdb-$(cat "$src"/go.mod "$src"/go.sum "$src"/*.go |
		sha256sum | cut -c 1-16)"
}

build_ferretdb() {
	local bin
	bin=$(ferretdb_binary)
	[ ! -x "$bin" ] || return 0
	mkdir -p "$(dirname "$bin")"
	(cd "$servers_lib/../ferretdb" && CGO_ENABLED=0 go build -buildvcs=false \
		-tags ferretdb_no_sqlite -o "$bin.$$" .) && mv "$bin.$$" "$bin"
}

start_mongo() {
	local d=$SERVERS_DIR/mongo port try
	mkdir -p "$d"
	if command -v mongod >/dev/null; then
		for try in 1 2 3; do
			port=$(free_port)
			mongod --dbpath "$d" --bind_ip 127.0.0.1 --port "$port" \
				--unixSocketPrefix "$d" >"$d.log" 2>&1 &
			mongo_pid=$!
			if until_ok 30 test -S "$d/mongodb-$port.sock" && kill -0 $mongo_pid; then
				export PW_TEST_MONGODB_URI=mongodb://127.0.0.1:$port/pairwire
				return 0
			fi
			kill $mongo_pid 2>/dev/null
		done
	else
		psql -qc 'CREATE DATABASE ferretdb' "$PW_TEST_DATABASE_URL" >"$d.log" 2>&1
		"$(ferretdb_binary)" -postgresql-url "${PW_TEST_DATABASE_URL%/*}/ferretdb?pool_max_conns=250" \
			-dir "$d" -port-file "$d/port" >>"$d.log" 2>&1 &
		mongo_pid=$!
		if until_ok 30 test -s "$d/port"; then
			export PW_TEST_MONGODB_URI=mongodb://127.0.0.1:$(cat "$d/port")/pairwire
			return 0
		fi
	fi
	cat "$d.log" >&2
	return 1
}

# Once; it takes several seconds.
start_kafka() {
	local d=$SERVERS_DIR/kafka
	[ -z "${PW_TEST_KAFKA-}" ] || return 0
	"$servers_lib/kafka" run "$d" >"$d.log" 2>&1 &
	kafka_pid=$!
	if until_ok 120 grep -q 'Kafka Server started' "$d.log"; then
		PW_TEST_KAFKA=$(cat "$d/address")
		export PW_TEST_KAFKA
		return 0
	fi
	cat "$d.log" >&2
	return 1
}

start_servers() {
	SERVERS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pw-servers.XXXXXX") &&
		chmod 755 "$SERVERS_DIR" && start_redis && start_pg && start_mongo
}

# What a lane of tests that run side by side has for itself: the first nothing,
# another one a Redis, and databases on the same servers. In a subshell, which
# stop_lane is called in, too.
start_lane() {
	redis_pid=
	[ "$1" -ne 1 ] || return 0
	psql -qc "CREATE DATABASE lane$1" "$PW_TEST_DATABASE_URL" 2>/dev/null ||
		psql -qc "SELECT 1" "${PW_TEST_DATABASE_URL%/*}/lane$1" >/dev/null || return 1
	PW_TEST_DATABASE_URL=${PW_TEST_DATABASE_URL%/*}/lane$1
	PW_TEST_MONGODB_URI=${PW_TEST_MONGODB_URI%/*}/lane$1
	start_redis "redis-$1"
}

# mongodb_of NAME: where a database of that name is. For a program's messages alone:
# FerretDB reads a whole collection for what it cannot ask PostgreSQL, so that what
# others left costs seconds for each query, more in the end than the driver waits.
mongodb_of() {
	echo "${PW_TEST_MONGODB_URI%/*}/$1"
}

stop_lane() {
	[ -z "$redis_pid" ] || { kill "$redis_pid" && wait "$redis_pid"; } 2>/dev/null
	redis_pid=
}

stop_servers() {
	[ -n "$SERVERS_DIR" ] || return 0
	local pid
	[ -z "$kafka_pid" ] || { kill -KILL "$kafka_pid" && wait "$kafka_pid"; } 2>/dev/null
	for pid in $redis_pid $mongo_pid; do
		kill "$pid" 2>/dev/null
		until_ok 10 eval "! kill -0 $pid" || kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	[ -z "$pg_running" ] || (cd / && as_postgres "$(pg_bindir)/pg_ctl" \
		-D "$SERVERS_DIR/pg/data" -m immediate -w stop) >/dev/null 2>&1
	redis_pid= mongo_pid= kafka_pid= pg_running=
	unset PW_TEST_KAFKA
	rm -rf "$SERVERS_DIR"
	SERVERS_DIR=
}
