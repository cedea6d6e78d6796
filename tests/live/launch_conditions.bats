# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Started from a process that then ends, from cron, under setsid, with closed descriptors: it stays up and any later client finds it.
load lib

setup_test() {
	bundle
	args sh -c 'echo up; trap "exit 11" TERM; while :; do sleep 1 & wait; done'
}

stays_up() {
	wait_for is "$c" running
	wait_for logged "$c" up
	is "$c" running
	env -i "$THOLE" --root "$ROOT" list > "$T/list"
	contains "$(cat "$T/list")" "$c"
	thole kill "$c" TERM
	exits 11 thole wait "$c"
}

@test "the caller and its caller end at once" {
	sh -c 'sh -c "\"\$0\" --root \"\$1\" run -d --bundle \"\$2\" \"\$3\" < /dev/null" "$0" "$1" "$2" "$3"' "$THOLE" "$ROOT" "$B" "$c"
	stays_up
}

@test "as cron does: minimal environment, no terminal, a closed stdin, limits, another directory, an umask" {
	(
		cd /
		ulimit -S -n 64
		ulimit -c 0
		umask 077
		exec env -i PATH=/usr/bin:/bin SHELL=/bin/sh setsid -w "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c"
	) 0<&- > "$T/cron.out" 2>&1
	equal "$(cat "$T/cron.out")" ''
	stays_up
}

@test "0, 1 and 2 all closed" {
	local s=0
	"$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" 0<&- 1>&- 2>&- || s=$?
	equal $s 0
	# Nothing of the shim's own got a number below 3.
	local fd
	for fd in 0 1 2; do
		equal "$(readlink "/proc/$(shim_of "$c")/fd/$fd")" /dev/null
	done
	stays_up
}

@test "an environment with nothing at all" {
	env -i "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null
	stays_up
}

@test "under setsid, and under nohup" {
	setsid -w nohup "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null > "$T/out" 2>&1
	stays_up
}

@test "from a terminal that hangs up" {
	echo end | "$PROBES/pty" "$THOLE" --root "$ROOT" run -d --bundle "$B" "$c"
	stays_up
}

@test "from a background job whose process group is killed" {
	setsid -w sh -c '"$0" --root "$1" run -d --bundle "$2" "$3" < /dev/null; kill -KILL -- -$$' "$THOLE" "$ROOT" "$B" "$c" || true
	stays_up
}

@test "all signals ignored and blocked by the caller" {
	perl -MPOSIX -e '$SIG{$_} = "IGNORE" for qw(HUP INT TERM CHLD PIPE); POSIX::sigprocmask(SIG_BLOCK, POSIX::SigSet->new(1 .. 31)); exec @ARGV' \
		"$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null
	stays_up
}

@test "a foreground run from cron: closed stdin, output to a file" {
	args sh -c 'cat; echo out; exit 9'
	local s=0
	env -i setsid -w "$THOLE" --root "$ROOT" run --bundle "$B" "$c" 0<&- > "$T/out" 2>&1 || s=$?
	equal $s 9
	equal "$(cat "$T/out")" out
}

@test "a caller in a mount namespace of its own: bundle and binds are seen from there" {
	args sh -c 'echo seen'
	unshare -m sh -ec 'mkdir "$1/private"; mount -t tmpfs none "$1/private"; cp -a "$1/b" "$1/private/b"; rm -rf "$1/b"
		"$2" --root "$1/state" run --bundle "$1/private/b" "$3" < /dev/null > "$1/out"' sh "$T" "$THOLE" "$c"
	equal "$(cat "$T/out")" seen
}

@test "a program below the caller is not adopted by anybody but the shim" {
	thole run -d --bundle "$B" "$c" < /dev/null
	local pid
	pid=$(init_of "$c")
	equal "$(awk '{ print $4 }' "/proc/$pid/stat")" "$(shim_of "$c")"
	stays_up
}
