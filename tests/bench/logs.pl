# SPDX-License-Identifier: Apache-2.0
# The rounds of tests/bench/logs.
use strict;
use warnings;
use Bench;
use Time::HiRes qw(time usleep);

my $files = "$work/run/files";
my $mb = $ENV{MB} || 512;
my $only = $ENV{THOLE_BENCH_ONLY} || '.';
my $flood = "$build/probes/flood";
my $rootfs = "$work/flood/rootfs";
my @drivers = ('--log-opt', 'max-size=unlimited');

# name, bytes of a write, of a line, how much of it
my @kinds = (['4 KiB blocks without newline', 4096, 0, $mb], ['80-byte lines in 64 KiB writes', 65520, 80, $mb], ['one 80-byte line a write', 80, 80, $mb / 4]);

# ---- helpers

sub cpu_s { return (split ' ', slurp("/proc/$_[0]/schedstat"))[0] / 1e9 }

# What is its own, and what of its program (read-only and of a file: page cache, which all shims share) nobody else has mapped at the moment.
sub private_kib {
	my ($own, $program, $to) = (0, 0);
	for (split /\n/, slurp("/proc/$_[0]/smaps")) {
		$to = $1 eq '-' && $2 ? \$program : \$own if /^[0-9a-f]+-[0-9a-f]+ r(.)\S+ \S+ \S+ (\d+)/;
		$$to += $1 if /^Private_(?:Clean|Dirty):\s+(\d+)/;
	}
	return ($own, $program);
}

sub bytes { return int($_[0][3]) << 20 }

sub producer {
	my ($kind, $times) = @_;
	return (bytes($kind), $kind->[1], $kind->[2], $times);
}

sub bundle_of {
	my ($kind) = @_;
	my $args = join ',', map { "\"$_\"" } '/usr/bin/flood', producer($kind, '/tmp/times');
	system(qw(sh -c), 'jq --argjson a "$2" ".process.args = \$a" < "$1/config.json" > "$1/new" && mv "$1/new" "$1/config.json"', 'sh', "$work/flood", "[$args]") == 0 or die;
}

# Seconds that the producer took, once its reader has taken everything.
sub produced {
	my ($times) = @_;
	await('the producer', sub { -e $times });
	my ($begin, $end) = split ' ', slurp($times);
	return ($end - $begin) / 1e9;
}

sub let_go {
	my ($times) = @_;
	open my $go, '>', "$times.go" or die;
}

sub forget { unlink map { ($_, "$_.go") } @_ }

# ---- who takes it: each returns { s => seconds, cpu => seconds of the one who reads }

my ($peak, $peak_program, $after) = (0, 0, 0);

sub look {
	my ($own, $program) = private_kib($_[0]);
	$peak = $own if $own > $peak;
	$peak_program = $program if $program > $peak_program;
}

sub by_thole {
	my ($kind, $driver, $watch) = @_;
	my ($id, $times, $log) = (new_id(), "$rootfs/tmp/times", "$files/thole.log");
	timed(command('thole', 'create', '--bundle', "$work/flood", '--log-driver', $driver, '--log-path', $log, @drivers, $id));
	my $shim = shim_of($id) or die;
	my $before = cpu_s($shim);
	timed(command('thole', 'start', $id));
	await('the producer', sub { look($shim); -e $times }) if $watch;
	my %r = (s => produced($times), cpu => cpu_s($shim) - $before);
	if ($watch) {
		await('the shim to come to rest', sub { my ($own, $program) = private_kib($shim); ($after = $own + $program) <= 400 });
		check_log($driver, $log, $kind);
	}
	let_go($times);
	timed(command('thole', 'wait', $id));
	timed(command('thole', 'delete', $id));
	forget($times, $log);
	return \%r;
}

# What was measured did happen: each byte is in the log.
sub check_log {
	my ($driver, $log, $kind) = @_;
	my $is = $driver eq 'raw' ? -s $log : `cut -d ' ' -f 4- < "$log" | tr -d '\\n' | wc -c`;
	my $newlines = $driver eq 'raw' || !$kind->[2] ? 0 : bytes($kind) / $kind->[1] * int($kind->[1] / $kind->[2]);
	die "bench: the log has $is bytes of output\n" if abs($is + int($newlines) - bytes($kind)) > $kind->[1];
}

sub by_conmon {
	my ($kind) = @_;
	my ($id, $times, $log) = (new_id(), "$rootfs/tmp/times", "$files/conmon.log");
	my $monitor = conmon_create($id, "$work/flood", "k8s-file:$log");
	my $before = cpu_s($monitor);
	timed(command('crun', 'start', $id));
	my %r = (s => produced($times), cpu => cpu_s($monitor) - $before);
	let_go($times);
	await('conmon', sub { -s "$work/exits/$id" });
	timed(command('crun', 'delete', '--force', $id));
	await('conmon to end', sub { slurp("/proc/$monitor/stat") =~ /^\d+ \(.*\) Z|^$/ });
	forget($times, $log, "$work/exits/$id");
	return \%r;
}

sub by_cat {
	my ($kind) = @_;
	my $times = "$files/times";
	my $pid = fork // die;
	exec 'sh', '-c', 'file=$1; shift; "$@" | cat > "$file"', 'sh', "$files/cat.log", $flood, producer($kind, $times) if !$pid;
	my %r = (s => produced($times));
	let_go($times);
	waitpid $pid, 0;
	forget($times, "$files/cat.log");
	return \%r;
}

# The producer's times, and the reader's at the other end.
sub into_reader {
	my ($kind, $times, @writer) = @_;
	my $pid = fork // die;
	my $end = "$files/end";
	exec 'sh', '-c', 'n=$1 r=$2 e=$3; shift 3; "$@" < /dev/null | "$r" --read "$n" "$e"', 'sh', bytes($kind), $flood, $end, @writer if !$pid;
	produced($times);
	let_go($times);
	waitpid $pid, 0;
	die "bench: the reader did not get everything\n" if $?;
	my %r = (s => (slurp($end) - (split ' ', slurp($times))[0]) / 1e9);
	forget($times, $end);
	return \%r;
}

sub pipe_of_thole {
	my ($kind) = @_;
	return into_reader($kind, "$rootfs/tmp/times", command('thole', 'run', '--log-driver', 'none', '--bundle', "$work/flood", new_id()));
}

sub pipe_of_cat {
	my ($kind) = @_;
	return into_reader($kind, "$files/times", 'sh', '-c', '"$@" | cat', 'sh', $flood, producer($kind, "$files/times"));
}

# ---- side by side

sub mb_s { my ($kind, @r) = @_; return [map { bytes($kind) / 1e6 / $_->{s} } @r] }
sub per_gib { my ($kind, @r) = @_; return [map { $_->{cpu} * (1 << 30) / bytes($kind) } @r] }

# row NAME, KIND, GOALS { speed => at least, cpu => at most }, PEER'S NAME, OURS, PEER'S
sub row {
	my ($name, $kind, $goal, $peer_name, $own, $peer) = @_;
	return if "$name $kind->[0]" !~ /$only/;
	my (@own, @peer);
	bundle_of($kind);
	$peak = $peak_program = 0;
	for my $round (0 .. $n) {
		my ($o, $p) = ($own->($kind, $round == 0), $peer->($kind));
		next if !$round; # it warms up, and is looked at
		push @own, $o;
		push @peer, $p;
	}
	rated("$name, $kind->[0]", 'MB/s', 1, mb_s($kind, @own), $peer_name, mb_s($kind, @peer), $goal->{speed}, 'at least');
	rated("$name, $kind->[0]: CPU", 's/GiB', 1, per_gib($kind, @own), $peer_name, per_gib($kind, @peer), $goal->{cpu}, 'at most') if defined $peer[0]{cpu};
	return if !$peak;
	printf "%-48s the shim's memory: at most %d KiB (and %d of its program), at rest %d in all\n", ' ', $peak, $peak_program, $after;
	limit("$name, $kind->[0]: memory of the shim", $peak, 'KiB', 1024);
}

END { my $status = $?; clean_up(); $? = $status }

my @goals = ({ speed => 2 }, { speed => 3 }, { speed => 1.15, cpu => 0.6 });
row('k8s-file', $kinds[$_], $goals[$_], 'conmon', sub { by_thole($_[0], 'k8s-file', $_[1]) }, \&by_conmon) for 0 .. 2;
row('raw', $_, { speed => 1 }, '| cat', sub { by_thole($_[0], 'raw', $_[1]) }, \&by_cat) for @kinds;
row('pipe', $_, { speed => 0.9 }, '| cat', \&pipe_of_thole, \&pipe_of_cat) for @kinds;
exit verdict();
