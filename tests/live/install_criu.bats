# SPDX-License-Identifier: Apache-2.0
# needs: root criu
# contrib/install-criu leaves a criu that works on this kernel.
load lib

setup_test() {
	BUILD=$BUILD "$TREE/contrib/install-criu" > "$THOLE_TEST_TMP/install-criu.log" 2>&1 || fail "$(tail -5 "$THOLE_TEST_TMP/install-criu.log")"
	CRIU=$BUILD/criu/bin/criu
}

@test "criu is there, is one that thole can use, and says that it works here" {
	matches "$("$CRIU" --version | sed -n 's/^Version: //p')" '^([4-9]\.|3\.1[5-9]|[1-9][0-9])'
	"$CRIU" check > "$T/out" 2>&1 || fail "$(cat "$T/out")"
	contains "$(cat "$T/out")" 'Looks good'
}

@test "a process with a listening socket and a pipe is dumped and restored, and goes on where it was" {
	cat > "$T/subject.pl" <<'PERL'
use IO::Socket::INET; use POSIX ();
POSIX::setsid(); open STDIN, '<', '/dev/null'; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
POSIX::close($_) for 3 .. 255;
my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die;
pipe my $r, my $w; my $n = 40;
open my $f, '>', "$ARGV[0].new"; print $f $l->sockport; close $f; rename "$ARGV[0].new", $ARGV[0];
while (my $c = $l->accept) { syswrite $w, pack 'N', ++$n; sysread $r, my $b, 4; print $c unpack('N', $b), "\n"; close $c }
PERL
	sh -c 'perl "$1/subject.pl" "$1/port" & echo $! > "$1/pid"' sh "$T" 3>&- < /dev/null > /dev/null 2>&1
	wait_for test -s "$T/port"
	local port pid
	port=$(cat "$T/port") pid=$(cat "$T/pid")
	STARTED+=("$pid")
	ask() { bash -c 'exec 4<> "/dev/tcp/127.0.0.1/$0"; read -r x <&4; echo $x' "$port"; }
	equal "$(ask)" 41
	mkdir "$T/img"
	"$CRIU" dump -t "$pid" -D "$T/img" -o dump.log -v4 > /dev/null 2>&1 || fail "$(grep Error "$T/img/dump.log")"
	wait_for pid_gone "$pid"
	gone() { ! [ -d "/proc/$pid" ]; }
	wait_for gone
	[ -s "$T/img/inventory.img" ]
	"$CRIU" restore -d -D "$T/img" -o restore.log -v4 > /dev/null 2>&1 || fail "$(grep Error "$T/img/restore.log")"
	equal "$(ask)" 42
}

@test "a second run changes nothing and needs no network" {
	local before
	before=$(stat -c '%i %Y' "$CRIU")
	# A network namespace of its own, with a loopback for the test process.
	BUILD=$BUILD unshare -n sh -c 'ip link set lo up; exec "$0"' "$TREE/contrib/install-criu" > "$T/out" 2>&1 || fail "$(cat "$T/out")"
	contains "$(cat "$T/out")" 'nothing to do'
	equal "$(stat -c '%i %Y' "$CRIU")" "$before"
}

@test "no mirror's name is written down in the tree" {
	local host
	host=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | grep -oE 'https?://[^/ ]+' | sort -u | sed 's,.*//,,' | grep -v '^localhost')
	[ -n "$host" ] || skip 'no mirror configured'
	cd "$TREE"
	not grep -rIFl --exclude-dir=.git --exclude-dir=build --exclude-dir="$(basename "$BUILD")" "$host" .
}
