# SPDX-License-Identifier: Apache-2.0
# Runtimes side by side: commands that are timed in interleaved rounds, and ratios of their medians. Given BUILD WORK ROUNDS in @ARGV.
package Bench;
use strict;
use warnings;
use Exporter 'import';
use POSIX ();
use Time::HiRes qw(time usleep);
our @EXPORT = qw(@who $build $work $n command quietly timed median compare verdict_on limit verdict new_id);

our ($build, $work, $n) = @ARGV;
my %command = (
	thole => ["$build/thole", '--root', "$work/state"],
	crun => ['crun', '--root', "$work/crun"],
);
$command{runc} = ['runc', '--root', "$work/runc"] if grep { -x "$_/runc" } split /:/, $ENV{PATH};

# thole first, then its peers.
our @who = sort { ($b eq 'thole') - ($a eq 'thole') || $a cmp $b } keys %command;
my $serial = 0;
my @missed;

sub new_id { return "bench-$$-" . $serial++ }

# The whole command line of RUNTIME's.
sub command {
	my ($runtime, @args) = @_;
	return (@{ $command{$runtime} }, @args);
}

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
	my $start = time;
	if (quietly(@cmd)) {
		system 'cat', "$work/err";
		die "bench: failed: @cmd\n";
	}
	return time - $start;
}

sub median {
	my @s = sort { $a <=> $b } @_;
	return @s % 2 ? $s[$#s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2;
}

# compare NAME, PAUSE (microseconds before each), { RUNTIME => at most }, sub { my $runtime = shift; ...; return seconds }
sub compare {
	my ($name, $pause, $goals, $once) = @_;
	my %t;
	for my $round (0 .. $n) {
		for my $w (@who) {
			usleep($pause) if $pause;
			my $t = $once->($w);
			push @{ $t{$w} }, $t if $round; # the first one warms up
		}
	}
	my $own = median(@{ $t{thole} });
	for my $w (grep { $_ ne 'thole' } @who) {
		my $ratio = $own / median(@{ $t{$w} });
		my $goal = $goals->{$w};
		my $missed = defined $goal && $ratio > $goal;
		push @missed, "$name against $w" if $missed;
		printf "%-12s %-13s thole / %-4s %.2f%s\n", $name, $pause ? sprintf('%d ms pauses', $pause / 1000) : 'no pauses', $w, $ratio,
			defined $goal ? sprintf('  (at most %.2f%s)', $goal, $missed ? ': MISSED' : '') : '';
	}
}

# The end of a line: a ratio, and what it should be. GOAL undef: nothing. WHICH: "at most" or "at least".
sub verdict_on {
	my ($name, $ratio, $goal, $which) = @_;
	my $missed = defined $goal && ($which eq 'at most' ? $ratio > $goal : $ratio < $goal);
	push @missed, $name if $missed;
	printf ": %.2f%s\n", $ratio, defined $goal ? sprintf('  (%s %.2f%s)', $which, $goal, $missed ? ': MISSED' : '') : '';
}

# limit NAME, VALUE, UNIT, AT MOST
sub limit {
	my ($name, $value, $unit, $most) = @_;
	my $missed = $value > $most;
	push @missed, $name if $missed;
	printf "%-12s %d %s  (at most %d%s)\n", $name, $value, $unit, $most, $missed ? ': MISSED' : '';
}

# The last line, and the exit status.
sub verdict {
	print @missed ? 'missed: ' . join(', ', @missed) . "\n" : "every goal is met\n";
	return @missed ? 1 : 0;
}

1;
