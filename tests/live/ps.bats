# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# ps: all processes of the container, as the host numbers them.
load lib

setup_test() { bundle; }

# covers: ps --format
@test "json: every pid, those of child groups too, as the host has them" {
	local group pids
	detached sh -c 'sleep 1000 & sleep 1001 & wait'
	group=$(cgroup_of "$c" freezer)
	wait_for has_lines "$group/cgroup.procs" 3
	pids=$(thole ps --format json "$c")
	equal "$(jq -r '.[]' <<< "$pids" | sort -n | tr '\n' ' ')" "$(sort -n "$group/cgroup.procs" | tr '\n' ' ')"
	mkdir "$group/child"
	pgrep -P "$(init_of "$c")" | head -1 > "$group/child/cgroup.procs"
	equal "$(thole ps -f json "$c" | jq length)" 3
	equal "$(thole ps -f json "$c" | jq -r '.[]' | sort -n | tr '\n' ' ')" "$(jq -r '.[]' <<< "$pids" | sort -n | tr '\n' ' ')"
}

has_lines() { [ "$(wc -l < "$1")" = "$2" ]; }

# covers: ps
@test "table: the header of ps and the container's rows, nothing else" {
	detached sh -c 'sleep 1000 & wait'
	wait_for has_lines "$(cgroup_of "$c" pids)/cgroup.procs" 2
	thole ps "$c" > "$T/out"
	equal "$(wc -l < "$T/out")" 3
	matches "$(head -1 "$T/out")" '^UID +PID +PPID'
	equal "$(grep -c 'sleep 1000' "$T/out")" 2
	equal "$(awk 'NR > 1 { print $2 }' "$T/out" | sort -n | head -1)" "$(init_of "$c")"
}

@test "options go to ps as they are: no shell sees them" {
	detached sleep 1000
	thole ps "$c" -o pid,comm > "$T/out"
	equal "$(sed 1d "$T/out" | awk '{ print $1, $2 }')" "$(init_of "$c") sleep"
	thole ps "$c" -eo 'pid,args' > "$T/out"
	equal "$(sed 1d "$T/out" | awk '{ print $1, $2, $3 }')" "$(init_of "$c") sleep 1000"
	exits 1 thole ps "$c" '$(touch '"$T"'/shell)' > "$T/out" 2>&1
	[ ! -e "$T/shell" ]
	refused 1 'no column PID' thole ps "$c" -eo comm
}

@test "a stopped container has no processes" {
	detached true
	exits 0 thole wait "$c"
	equal "$(thole ps --format json "$c")" '[]'
	equal "$("$THOLE_OCI" --root "$ROOT" ps --format json "$c")" null
	equal "$(thole ps "$c" | wc -l)" 1
}

@test "as runc prints it" {
	needs runc
	detached sleep 1000
	equal "$("$THOLE_OCI" --root "$ROOT" ps -f json "$c")" "[$(init_of "$c")]"
}
