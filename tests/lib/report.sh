# Counting and showing results. Sourced by tests/run; uses $logs.

passed=0 failed=0 skipped=0
failures=		# their names, for the end
section_passed=0 section_failed=0 section_skipped=0
running=

section() {
	printf '\n== %s\n' "$1"
	section_passed=$passed section_failed=$failed section_skipped=$skipped
	section_start=$SECONDS
}

section_end() {
	printf '%d passed, %d failed, %d skipped in %d s\n' \
		$((passed - section_passed)) $((failed - section_failed)) \
		$((skipped - section_skipped)) $((SECONDS - section_start))
}

pass() { passed=$((passed + $1)); }
fail() { failed=$((failed + $1)); }
skip() { skipped=$((skipped + $1)); }

# name_failure NAME [MORE]
name_failure() {
	echo "FAIL $1${2:+ $2}"
	failures="$failures$1"$'\n'
}

# failed_one NAME LOG: one failure, with the log's end.
failed_one() {
	fail 1
	name_failure "$1"
	[ ! -f "$2" ] || tail -n 60 "$2" | sed 's/^/    /'
}

# show_criterion LOG: what was asserted first, then the end of what was said
# meanwhile, in which it is hard to find.
show_criterion() {
	sed 's/\x1b\[[0-9;]*m//g' "$1" >"$logs/plain.log"
	grep -aE '^\[(----|FAIL|CRASH|ERR)' "$logs/plain.log" | head -n 40 | sed 's/^/    /'
	grep -avE '^\[(----|FAIL|CRASH|ERR|PASS|RUN|SKIP|====)' "$logs/plain.log" |
		tail -n 40 | sed 's/^/    /'
}

# run_logged LOG CMD...: in its own process group, so that a signal to us ends
# it at once, and nothing of it stays behind.
run_logged() {
	local log=$1 rc
	shift
	setsid "$@" >"$log" 2>&1 </dev/null &
	running=$!
	wait "$running"
	rc=$?
	# without the dead, whom somebody is about to wait for
	if pgrep -r D,R,S,T,t,I -g "$running" >/dev/null; then
		{ echo "left running:"; ps -o pid,args -g "$running"; } >>"$log"
		kill -KILL -- "-$running" 2>/dev/null
		[ $rc -ne 0 ] || rc=98
	fi
	running=
	return $rc
}

# step NAME CMD...: something that must work; a failure counts. CMD may be a
# function (and then runs in this shell).
step() {
	local name=$1 start=$SECONDS log=$logs/step.log rc
	shift
	if [ "$(type -t "$1")" = function ]; then
		"$@" >"$log" 2>&1
	else
		run_logged "$log" "$@"
	fi
	rc=$?
	if [ $rc -eq 0 ]; then
		echo "$name: $((SECONDS - start)) s"
	else
		failed_one "$name" "$log"
	fi
	return $rc
}

in_dir() { (cd "$1" && shift && "$@"); }

# count_criterion NAME LOG RESULT: a program's tests by its closing line; a
# program without one counts as one test.
count_criterion() {
	local line n_pass n_all
	line=$(sed 's/\x1b\[[0-9;]*m//g' "$2" | grep -a 'Synthesis: Tested:' | tail -n 1)
	n_all=$(sed -n 's/.*Tested: *\([0-9]*\).*/\1/p' <<<"$line")
	n_pass=$(sed -n 's/.*Passing: *\([0-9]*\).*/\1/p' <<<"$line")
	case $3 in
	PASS)
		pass "${n_all:-1}" ;;
	SKIP)
		skip 1
		echo "SKIP $1" ;;
	*)
		# all tests passed and the program did not: a sanitizer's
		# report, a crash at the end
		pass "${n_pass:-0}"
		fail $((${n_all:-0} > ${n_pass:-0} ? n_all - n_pass : 1))
		name_failure "$1"
		show_criterion "$2" ;;
	esac
}

# tap_number FILE WHAT: 0 when the run ended before its summary
tap_number() {
	local n
	n=$(sed -n "s/^# $2 \([0-9][0-9]*\)$/\1/p" "$1" | tail -n 1)
	echo "${n:-0}"
}

# count_node NAME DIR RC: a node:test run; its TAP is DIR/tap.log, the
# cluster's logs are DIR/*.log, sanitizer reports are in DIR/san.
count_node() {
	local tap=$2/tap.log n log
	n=$(($(tap_number "$tap" fail) + $(tap_number "$tap" cancelled)))
	pass "$(tap_number "$tap" pass)"
	skip "$(($(tap_number "$tap" skipped) + $(tap_number "$tap" todo)))"
	grep -aE '^ *ok .*# SKIP' "$tap" | sed "s|^ *|SKIP $1: |"
	[ "$n" -gt 0 ] || [ "$3" -eq 0 ] || n=1
	if [ -d "$2/san" ] && ! tests/lib/sanitizer-reports "$2/san" >"$logs/reports.log"; then
		name_failure "$1" "(sanitizer report)"
		head -n 80 "$logs/reports.log" | sed 's/^/    /'
		n=$((n + 1))
	fi
	fail "$n"
	[ "$n" -gt 0 ] || return 0
	if [ "$3" -ne 0 ]; then
		name_failure "$1" "(exit status $3)"
		# failed tests with their diagnostics; all, if it ended before any
		if grep -qa '^ *not ok' "$tap"; then
			sed -n '/^ *not ok/,/^ *\.\.\.$/p' "$tap"
			grep -a '^left running' -A 20 "$tap"
		else
			tail -n 60 "$tap"
		fi | head -n 150 | sed 's/^/    /'
	fi
	for log in "$2"/*.log; do
		[ "$log" != "$tap" ] && [ -s "$log" ] || continue
		echo "    -- ${log##*/}"
		tail -n 40 "$log" | sed 's/^/    /'
	done
}

# The last line, and the exit.
finish() {
	if [ "${CI:-}" = true ] && [ $skipped -gt 0 ]; then
		printf '\nCI: %d skipped tests count as failures\n' $skipped
		failed=$((failed + skipped)) skipped=0
	fi
	[ -z "$failures" ] || printf '\nFailed:\n%s' "$failures"
	printf '\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
	[ $failed -eq 0 ]
	exit
}
