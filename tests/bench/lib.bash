# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the benchmarks share: the peers, the programs, the bundles, and a place for all of them. Sourced by a script of this folder.
#
# All run in a mount namespace of their own. Their state is on a tmpfs, as /run is on most hosts. Where the v2 mount has controllers (hybrid) crun refuses to
# run: everything is then measured without that mount.
# Afterwards: $work, a directory that is gone at the end, with $work/run, a tmpfs, and the bundles $work/true, $work/sleep and $work/flood; `rounds FILE`
# runs one of perl.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
export BUILD=${BUILD:-$tree/build}

peers() {
	local p missing=()
	for p in crun runc conmon; do
		command -v $p > /dev/null || missing+=("$p")
	done
	[ ${#missing[@]} = 0 ] && return
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null ||
		{ echo "bench: cannot install ${missing[*]}" >&2; exit 1; }
}

if [ -z "${BENCH_INSIDE:-}" ]; then
	peers
	BENCH_INSIDE=1 exec unshare -m sh -c 'if grep -q " /sys/fs/cgroup/unified cgroup2 " /proc/mounts; then umount /sys/fs/cgroup/unified; fi && exec "$0" "$@"' "$0" "$@"
fi

work=$(mktemp -d)
mkdir "$work/run"
mount -t tmpfs none "$work/run"
trap 'umount -l "$work/run"; rm -rf --one-file-system "$work"' EXIT
export THOLE_LOG_DIR=$work/run/log
BATS_TEST_DIRNAME=$tree/tests/live THOLE_TEST_TMP=$work
bats_require_minimum_version() { :; }
# shellcheck source=../live/lib.bash
. "$tree/tests/live/lib.bash"
T=$work
for what in true sleep flood; do
	bundle $what
	# Older versions of the others do not know newer ones of the specification.
	config '.ociVersion = "1.0.2"'
	[ $what = true ] && args /bin/true || args /bin/sleep 1000
done

# rounds FILE: with $n (how many rounds) and what Bench.pm gives
rounds() {
	perl -I"$tree/tests/bench" "$1" "$BUILD" "$work" "${N:-50}" 3>&1
}
