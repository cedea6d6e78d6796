# SPDX-License-Identifier: Apache-2.0
# needs: root
# thole check: what this host can do and what not, in plain words, with and without criu.
load lib

line() { sed -n "s/^\(yes\|no\) *$1: /\1 /p" "$T/check"; }

# covers: check
@test "one line for each ability: yes and what there is, or no and why; nothing is changed, no state directory is needed" {
	thole check > "$T/check"
	equal "$(grep -cvE '^(yes |no  ) [A-Za-z].*: .' "$T/check")" 1 'lines of another kind than the kernel'"'"'s'
	contains "$(head -1 "$T/check")" "kernel $(uname -r)"
	matches "$(line containers)" '^yes '
	[ ! -e "$ROOT" ]
	if [ -d /run/systemd/system ]; then matches "$(line systemd)" '^yes'; else matches "$(line systemd)" '^no'; fi
	if has_hybrid; then contains "$(line 'control groups')" hybrid; fi
}

@test "criu: what it is and what the kernel lets it do; none, one that is none, one that is too old, one that does not say its version" {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	[ -x "$THOLE_CRIU" ] || skip 'needs: criu'
	thole check > "$T/check"
	contains "$(line 'checkpoint and restore')" "yes criu $("$THOLE_CRIU" --version | sed -n 's/^Version: \([0-9]*\.[0-9]*\).*/\1/p')"
	if grep -q '^VmFlags.*sd' /proc/self/smaps; then
		matches "$(line 'pre-dumps and parent images')" '^yes'
	else
		contains "$(line 'pre-dumps and parent images')" 'no the kernel does not say which pages'
	fi
	thole --criu /nowhere check > "$T/check"
	contains "$(line 'checkpoint and restore')" "no cannot use criu '/nowhere'"
	contains "$(line 'lazy pages')" 'no needs criu'
	thole --criu no-such check > "$T/check"
	contains "$(line 'checkpoint and restore')" "no there is no 'no-such' in PATH"
	thole --criu /bin/true check > "$T/check"
	contains "$(line 'checkpoint and restore')" 'no criu ends without an answer'
	old_criu > "$T/criu"
	chmod 755 "$T/criu"
	thole --criu "$T/criu" check > "$T/check"
	contains "$(line 'checkpoint and restore')" 'no this criu (version 3.9) is too old: checkpoints need 3.15'
	says_version '\x08\xd9\xe3\x2f\x10\x02' > "$T/criu" # 782809.2
	thole --criu "$T/criu" check > "$T/check"
	contains "$(line 'checkpoint and restore')" 'no this criu does not say its version: checkpoints need 3.15'
}

# A criu that answers the question for its version with that message: a packet on descriptor 3.
says_version() {
	local n=$((${#1} / 4))
	printf '#!/usr/bin/perl\nopen my $s, "+<&=3" or die; recv $s, my $q, 100, 0; send $s, "\\x08\\x0a\\x10\\x01\\x52\\x%02x%s", 0; recv $s, $q, 100, 0;\n' "$n" "$1"
}

old_criu() {
	says_version '\x08\x03\x10\x09' # 3.9
}

@test "a criu that is too old refuses nothing but checkpoints, before anything is frozen" {
	needs cgroup
	bundle
	detached sleep 1000
	old_criu > "$T/criu"
	chmod 755 "$T/criu"
	refused 1 'this criu \(version 3.9\) is too old: checkpoints need 3.15' thole --criu "$T/criu" checkpoint --image-path "$T/img" "$c"
	is "$c" running
	equal "$(find "$T/img" -mindepth 1)" ''
}
