#!/bin/sh
# Runs one unit test program. Criterion loses sanitizer reports of its child
# processes, leaks above all: they go to files, and any file is a failure. Of all
# programs that a test starts, too: each report names its own.
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
ASAN_OPTIONS="log_exe_name=1:log_path=$dir/asan${ASAN_OPTIONS:+:$ASAN_OPTIONS}" \
LSAN_OPTIONS="log_exe_name=1:log_path=$dir/lsan${LSAN_OPTIONS:+:$LSAN_OPTIONS}" \
UBSAN_OPTIONS="log_exe_name=1:log_path=$dir/ubsan:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}" \
	"$@"
rc=$?
"$(dirname "$0")/lib/sanitizer-reports" "$dir" || rc=1
exit $rc
