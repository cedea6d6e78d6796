# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the benchmarks share: the programs, the bundles, and a place without what crun refuses. Sourced by a script of this folder.
#
# Where the v2 mount has controllers (hybrid) crun refuses to run: everything is then measured in a mount namespace without it.
# Afterwards: $work, a directory that is gone at the end, with the bundles $work/true, $work/sleep and $work/flood; `rounds SCRIPT` runs one of perl.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
export BUILD=${BUILD:-$tree/build}

if [ -z "${BENCH_INSIDE:-}" ] && grep -q ' /sys/fs/cgroup/unified cgroup2 ' /proc/mounts; then
	BENCH_INSIDE=1 exec unshare -m sh -c 'umount /sys/fs/cgroup/unified && exec "$0" "$@"' "$0" "$@"
fi
command -v crun > /dev/null || { echo 'bench: crun is not installed (apt-get install crun)' >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
export THOLE_LOG_DIR=$work/log
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

# rounds SCRIPT: with $n (how many rounds) and what Bench.pm gives
rounds() {
	perl -I"$tree/tests/bench" "$1" "$BUILD" "$work" "${N:-50}" 3>&1
}
