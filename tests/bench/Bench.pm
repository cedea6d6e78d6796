# SPDX-License-Identifier: Apache-2.0
# Runtimes side by side: commands that are timed in interleaved rounds, and ratios of their medians. Given BUILD WORK ROUNDS in @ARGV.
# Every row is printed, and goes to the file $THOLE_BENCH_RECORD as well, if there is one, for tests/bench/report.
package Bench;
use strict;
use warnings;
use Exporter 'import';
use POSIX ();
use Time::HiRes qw(time usleep);
our @EXPORT = qw(@who $build $work $n command quietly timed median compare rated limit verdict new_id slurp await conmon_create kib settled shim_of clean_up);

our ($build, $work, $n) = @ARGV;
my %command = (
	thole => ["$build/thole", '--root', "$work/run/thole"],
	crun => ['crun', '--root', "$work/run/crun"],
	runc => ['runc', '--root', "$work/run/runc"],
);

# thole first, then its peers.
our @who = qw(thole crun runc);
my $serial = 0;
my @missed;

sub new_id { return "bench-$$-" . $serial++ }

# The whole command line of RUNTIME's.
sub command {
	my ($runtime, @args) = @_;
	return (@{ $command{$runtime} }, @args);
}

# ---- running ---------------------------------------------------------------------------------------------------------------

# Runs it without stdio, and gives its status.
sub quietly {
	my (@cmd) = @_;
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', "$work/err";
		exec { $cmd[0] } @cmd or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	return $?;
}

# Seconds from its exec to its exit; it has to succeed.
sub timed {
	my (@cmd) = @_;
	my $pid = open(my $said, '-|') // die;
	if (!$pid) {
		open STDERR, '>', "$work/err";
		exec "$build/bench/took", @cmd or POSIX::_exit(127);
	}
	my $ns = <$said>;
	close $said;
	if ($?) {
		system 'cat', "$work/err";
		die "bench: failed: @cmd\n";
	}
	return $ns / 1e9;
}

sub slurp { open my $f, '<', $_[0] or return ''; local $/; my $text = <$f>; return defined $text ? $text : '' }

sub await {
	my ($what, $condition) = @_;
	my $deadline = time + 120;
	until ($condition->()) {
		die "bench: waited too long for $what: " . slurp("$work/err") . "\n" if time > $deadline;
		usleep(2000);
	}
}

# Have conmon create a container with crun, as podman does: it says through a pipe when that is done. Gives conmon's pid.
sub conmon_create {
	my ($id, $bundle, $log) = @_;
	my $exits = "$work/exits";
	mkdir $exits;
	pipe my $said, my $say or die;
	my $pid = fork // die;
	if (!$pid) {
		POSIX::dup2(fileno $say, 3);
		$ENV{_OCI_SYNCPIPE} = 3;
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', "$work/err";
		exec qw(conmon --api-version 1 -c), $id, '-u', $id, '-n', $id, '-r', '/usr/bin/crun', '--runtime-arg', "--root=$work/run/crun", '-b', $bundle, '-p', "$work/pid",
			'--exit-dir', $exits, '--socket-dir-path', $exits, '-l', $log, '--conmon-pidfile', "$work/conmon.pid" or POSIX::_exit(127);
	}
	close $say;
	waitpid $pid, 0;
	die 'bench: conmon: ' . slurp("$work/err") . "\n" if $? || (<$said> // '') !~ /"(?:pid|data)": *\d/;
	return slurp("$work/conmon.pid") + 0;
}

# KiB of NAME in smaps_rollup, the mean of the processes.
sub kib {
	my ($name, @pids) = @_;
	my $sum = 0;
	$sum += (slurp("/proc/$_/smaps_rollup") =~ /^$name:\s+(\d+)/m)[0] for @pids;
	return $sum / @pids;
}

# Until these monitors have given back what they do not need.
sub settled {
	my (@pids) = @_;
	my $last = 0;
	await('the monitors to come to rest', sub { usleep(600000); my $now = kib('Private_Dirty', @pids); my $still = $now == $last; $last = $now; return $still });
}

sub shim_of { return (slurp("$work/run/thole/$_[0]/state.json") =~ /"shim":\s*\{[^}]*"pid":\s*(\d+)/)[0] }

# Nothing of ours stays, however it ends.
sub clean_up {
	for my $runtime (@who) {
		quietly(command($runtime, 'delete', '--force', $_)) for map { m,([^/]+)/?$, } glob "$work/run/$runtime/*";
	}
}

# ---- judging ---------------------------------------------------------------------------------------------------------------

sub median {
	my @s = sort { $a <=> $b } @_;
	return @s % 2 ? $s[$#s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2;
}

# Where eight in ten of them are.
sub range {
	my @s = sort { $a <=> $b } @_;
	return ($s[int(@s / 10)], $s[-1 - int(@s / 10)]);
}

sub figures {
	my ($scale, $values) = @_;
	my ($low, $high) = range(@$values);
	return map { $_ * $scale >= 100 ? sprintf('%.0f', $_ * $scale) : sprintf('%.2f', $_ * $scale) } median(@$values), $low, $high;
}

sub note {
	my (@row) = @_;
	return if !$ENV{THOLE_BENCH_RECORD};
	open my $f, '>>', $ENV{THOLE_BENCH_RECORD} or die;
	print $f join("\t", map { defined $_ ? $_ : '' } @row), "\n";
}

# One row: NAME, UNIT, what makes that unit of a value, our values, PEER's name and values, and what the ratio of the medians should be: GOAL (undef: anything)
# 'at most' or 'at least'.
sub rated {
	my ($name, $unit, $scale, $own, $peer_name, $peer, $goal, $which) = @_;
	my $ratio = median(@$own) / median(@$peer);
	my $missed = defined $goal && ($which eq 'at most' ? $ratio > $goal : $ratio < $goal);
	my (@o, @p) = figures($scale, $own);
	@p = figures($scale, $peer);
	push @missed, "$name beside $peer_name" if $missed;
	printf "%-48s thole %s (%s to %s) %s, %s %s (%s to %s): %.2f%s\n", $name, @o, $unit, $peer_name, @p, $ratio,
		defined $goal ? sprintf('  (%s %.2f%s)', $which, $goal, $missed ? ': MISSED' : '') : '';
	note($name, $unit, @o, $peer_name, @p, sprintf('%.2f', $ratio), defined $goal ? ($which, sprintf('%.2f', $goal)) : ('', ''), $missed ? 'missed' : '');
}

# A figure that has a limit of its own: NAME, VALUE, UNIT, AT MOST; beside it, if known, a PEER's.
sub limit {
	my ($name, $value, $unit, $most, $peer_name, $peer) = @_;
	my $missed = $value > $most;
	push @missed, $name if $missed;
	printf "%-48s thole %.0f %s%s  (at most %s%s)\n", $name, $value, $unit, $peer_name ? sprintf(', %s %.0f', $peer_name, $peer) : '', $most, $missed ? ': MISSED' : '';
	note($name, $unit, sprintf('%.0f', $value), '', '', $peer_name, $peer_name ? (sprintf('%.0f', $peer), '', '', sprintf('%.2f', $value / $peer)) : ('', '', '', ''), 'at most',
		$most, $missed ? 'missed' : '');
}

# compare NAME, PAUSE (microseconds before each), { WHO => at most }, sub { my $who = shift; ...; return seconds }. WHO may be somebody else than a runtime.
sub compare {
	my ($name, $pause, $goals, $once) = @_;
	my @contenders = ('thole', sort keys %$goals);
	my %t;
	for my $round (0 .. $n) {
		for my $w (@contenders) {
			usleep($pause) if $pause;
			my $t = $once->($w);
			push @{ $t{$w} }, $t if $round; # the first one warms up
		}
	}
	rated($name, 'ms', 1000, $t{thole}, $_, $t{$_}, $goals->{$_}, 'at most') for @contenders[1 .. $#contenders];
}

# The last line, and the exit status.
sub verdict {
	print @missed ? 'missed: ' . join(', ', @missed) . "\n" : "every goal is met\n";
	return @missed ? 1 : 0;
}

1;
