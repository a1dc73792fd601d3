# Debian packages: installs what is missing, and only that. Sourced.

BUILD_PACKAGES="autoconf automake autoconf-archive make gcc libc6-dev pkg-config xz-utils
	libevent-dev libuv1-dev libwebsockets-dev zlib1g-dev libhiredis-dev libpq-dev libmongoc-dev
	libjansson-dev libjwt-dev libmsgpack-dev libssl-dev libinih-dev
	libnghttp2-dev librdkafka-dev libsystemd-dev libcriterion-dev openssl"
FUZZ_PACKAGES="clang libclang-rt-14-dev"
PACKAGING_PACKAGES="build-essential debhelper lintian strace systemd"
MAN_PACKAGES="mandoc"
FAULTS_PACKAGES="faketime procps util-linux redis-server redis-tools"

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# apt_missing PACKAGE...: those not installed, on one line.
apt_missing() {
	local p missing=
	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
			missing="$missing $p"
	done
	echo "${missing# }"
}

# apt_install PACKAGE...: without starting the services that come along.
apt_install() {
	[ $# -gt 0 ] || return 0
	echo "installing: $*"
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		echo "neither root nor sudo: please install these packages" >&2
		return 1
	fi
	local policy=/usr/sbin/policy-rc.d made= rc=0
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null &&
			as_root chmod 755 "$policy" && made=1
	fi
	{
		as_root apt-get -qq update &&
		as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get -qq -y --no-install-recommends install "$@"
	} >"${APT_LOG:-/dev/null}" 2>&1 || rc=1
	[ -z "$made" ] || as_root rm -f "$policy"
	[ $rc -eq 0 ] || tail -n 20 "${APT_LOG:-/dev/null}" >&2
	return $rc
}
