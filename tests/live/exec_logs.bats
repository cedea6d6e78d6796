# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup
# Exec'd processes with logs of their own.
load lib

setup_test() {
	bundle
	args sleep 1000
	thole run -d --bundle "$B" "$c" < /dev/null
}

exec_log() { # NAME: its file
	thole_state "$c" ".container.execLogs.\"$1\".log.path"
}

# covers: exec --log-driver, logs --exec
@test "exec -d --log-driver: a log of its own, and logs --exec prints it; without one there is none" {
	local name
	name=$(thole exec -d --print-name --log-driver k8s-file "$c" sh -c 'echo out; echo err >&2; printf end')
	thole wait "$c" "$name"
	thole logs --exec "$name" "$c" > "$T/out" 2> "$T/err"
	equal "$(cat "$T/out")" $'out\nend'
	equal "$(cat "$T/err")" err
	equal "$(exec_log "$name")" "$T/log/$c/exec-$name.log"
	equal "$(stat -c %a "$(exec_log "$name")")" 600
	grep -qE '^20[0-9-]{8}T[0-9:.]+[^ ]* stdout P end$' "$(exec_log "$name")"
	equal "$(thole logs --exec "$name" --tail 1 "$c" 2> /dev/null)" end
	# The container's own has nothing of it, nor does that of another.
	equal "$(thole logs "$c")" ''
	name=$(thole exec -d --print-name "$c" echo nothing)
	thole wait "$c" "$name"
	refused 1 "has no process '$name' with a log of its own" thole logs --exec "$name" "$c"
	refused 1 "has no process '../1'" thole logs --exec ../1 "$c"
	refused 1 'reopen' thole logs --reopen --exec 1 "$c"
	equal "$(find "$T/log/$c" -name 'exec-*' | wc -l)" 1
}

# covers: exec --log-path, exec --log-opt
@test "--log-path, --log-opt: where and how it was asked for; delete leaves what was named, and removes the rest" {
	local a b
	a=$(thole exec -d --print-name --log-driver json-file --log-driver raw --log-path "$T/my.log" --log-opt tag=t "$c" echo one)
	b=$(cd "$T" && thole exec -d --print-name --log-driver raw --log-opt max-size=1k --log-opt max-file=2 "$c" seq 1 1000)
	thole wait "$c" "$a"
	thole wait "$c" "$b"
	equal "$(jq -r '.log, .attrs.tag' < "$T/my.log" | xargs)" 'one t'
	equal "$(cat "$T/log/$c/exec-$a.log.raw")" one
	[ -e "$T/log/$c/exec-$b.log.1" ]
	equal "$(thole logs --exec "$b" --tail 1 "$c")" 1000
	thole delete --force "$c"
	[ -e "$T/my.log" ]
	[ ! -e "$T/log/$c" ]
}

@test "what is refused leaves nothing: unknown drivers, options without a driver, paths that are none, programs that are not there" {
	refused 125 'no-such' thole exec -d --log-driver no-such "$c" true
	refused 125 'need --log-driver' thole exec -d --log-path "$T/x.log" "$c" true
	refused 125 'nonsense' thole exec -d --log-driver raw --log-opt nonsense=1 "$c" true
	ln -s /etc/passwd "$T/link"
	refused 125 'symbolic link' thole exec -d --log-driver raw --log-path "$T/link" "$c" true
	refused 125 'no regular file|Is a directory' thole exec -d --log-driver raw --log-path "$T" "$c" true
	refused 125 'need --monitor=shim' thole exec -d --monitor=foreign --log-driver raw "$c" true
	refused 127 'not found|no such' thole exec -d --log-driver raw "$c" /no/such/program
	refused 126 'permission denied|is a directory' thole exec -d --log-driver raw "$c" /tmp
	equal "$(find "$T/log/$c" -name 'exec-*')" ''
	thole exec --log-driver none "$c" true
}

@test "in the foreground too: the caller and the log both have all of it" {
	thole exec --log-driver raw "$c" sh -c '/usr/bin/records 20000 64 2>&1' < /dev/null > "$T/out"
	equal "$("$PROBES/records" --check < "$T/out")" 'records=20000 last=20000'
	cmp "$T/out" "$(exec_log 1)"
	thole exec -t --log-driver raw "$c" echo on a terminal < /dev/null > "$T/out"
	equal "$(tr -d '\r' < "$(exec_log 2)")" 'on a terminal'
}

@test "ten at once with much output each: every log, and every caller, has its own and nothing else" {
	local n i pids=() names=()
	n=$([ "$THOLE_LONG" ] && echo 1000000 || echo 40000)
	for i in 0 1 2 3 4; do
		names+=("$(thole exec -d --print-name --log-driver k8s-file --log-opt max-size=$((n / 40000))m --log-opt max-file=99 "$c" /usr/bin/records $((n + i)) 64)")
		in_background "$THOLE" --root "$ROOT" exec "$c" /usr/bin/records $((n + i)) 64 < /dev/null > "$T/out.$i" 2> "$T/err.$i"
		pids+=($!)
	done
	for i in 0 1 2 3 4; do
		exits 0 wait "${pids[i]}"
		exits 0 thole wait "$c" "${names[i]}"
	done
	whole() { # WHAT N OUT ERR
		equal "$("$PROBES/records" --check < "$3")" "records=$(($2 - $2 / 10)) last=$(($2 % 10 ? $2 : $2 - 1))" "stdout of $1" || return 1
		equal "$("$PROBES/records" --check < "$4")" "records=$(($2 / 10)) last=$(($2 / 10 * 10))" "stderr of $1"
	}
	for i in 0 1 2 3 4; do
		whole "caller $i" $((n + i)) "$T/out.$i" "$T/err.$i"
	done
	log_is_whole() {
		thole logs --exec "${names[i]}" "$c" > "$T/out" 2> "$T/err"
		whole "log ${names[i]}" $((n + i)) "$T/out" "$T/err"
	}
	for i in 0 1 2 3 4; do
		wait_for log_is_whole || log_is_whole
	done
}

@test "state and reopen: the logs of those that run are told and opened anew with the container's" {
	local name
	name=$(thole exec -d --print-name --log-driver raw "$c" sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two')
	local file
	file=$(exec_log "$name")
	wait_for grep -q one "$file"
	equal "$(thole state "$c" | jq -r ".thole.execLogs.\"$name\".log.driver")" raw
	mv "$file" "$T/moved"
	thole logs --reopen "$c"
	touch "$B/rootfs/tmp/go"
	thole wait "$c" "$name"
	wait_for grep -q two "$file"
	equal "$(cat "$T/moved" "$file")" $'one\ntwo'
}

@test "events and state tell of the loss of such a log, too" {
	thole delete --force "$c"
	cat > "$T/script" <<'SH'
mkdir "$T/disk"
mount -t tmpfs -o size=64k none "$T/disk"
"$THOLE" --root "$ROOT" run -d --bundle "$B" "$c" < /dev/null
"$THOLE" --root "$ROOT" events --interval 1h "$c" > "$T/events" &
name=$("$THOLE" --root "$ROOT" exec -d --print-name --log-driver raw --log-path "$T/disk/x.log" "$c" sh -c '/usr/bin/records 10000 64 2>&1; while [ ! -e /tmp/go ]; do usleep 1000; done')
n=0
until grep -q '"type":"log"' "$T/events" || [ $n -gt 400 ]; do n=$((n + 1)); sleep 0.05; done
touch "$B/rootfs/tmp/go"
"$THOLE" --root "$ROOT" wait "$c" "$name"
echo "$name" > "$T/name"
stat -c %s "$T/disk/x.log" > "$T/size"
SH
	export T B THOLE ROOT c
	unshare -m sh -e "$T/script"
	equal "$(jq -c '[.data.status, .data.driver, .data.process, .data.reason]' "$T/events" | head -1)" "[\"failing\",\"raw\",\"$(cat "$T/name")\",\"No space left on device\"]"
	told() { [ "$(thole_state "$c" ".container.execLogs.\"$(cat "$T/name")\".log.lostBytes.stdout")" = $((640000 - $(cat "$T/size"))) ]; }
	wait_for told
}

@test "a shim that dies: who adopts the container goes on with the logs of its exec'd processes" {
	local name
	name=$(thole exec -d --print-name --log-driver k8s-file --log-opt max-size=5k --log-opt max-file=9 "$c" sh -c 'echo one; while [ ! -e /tmp/go ]; do usleep 1000; done; echo two; while [ ! -e /tmp/end ]; do usleep 1000; done')
	wait_for grep -q one "$(exec_log "$name")"
	local shim
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	thole recover "$c"
	touch "$B/rootfs/tmp/go"
	wait_for grep -q two "$(exec_log "$name")"
	touch "$B/rootfs/tmp/end"
	equal "$(thole logs --exec "$name" "$c")" $'one\ntwo'
}

@test "adopted, such a log goes on in its own file, whatever number its process got in the end" {
	local name file shim
	"$THOLE_OCI" --root "$ROOT" exec -d "$c" sleep 1000 < /dev/null > "$T/out" 2>&1
	name=$(thole exec -d --print-name --log-driver raw "$c" sh -c 'echo one; until [ -e /tmp/go ]; do usleep 1000; done; echo two; until [ -e /tmp/end ]; do usleep 1000; done' < /dev/null)
	equal "$name" 2
	file=$(exec_log "$name")
	wait_for grep -q one "$file"
	shim=$(shim_of "$c")
	kill -KILL "$shim"
	wait_for pid_gone "$shim"
	thole recover "$c"
	equal "$(exec_log "$name")" "$file"
	touch "$B/rootfs/tmp/go"
	wait_for grep -q two "$file"
	touch "$B/rootfs/tmp/end"
	equal "$(find "$T/log/$c" -name 'exec-*')" "$file"
}

@test "the last 64 logs are known by name, and all of the files go with the container" {
	local i
	for i in $(seq 1 70); do
		thole exec --log-driver raw "$c" true < /dev/null
	done
	equal "$(thole_state "$c" '.container.execLogs | length')" 64
	equal "$(thole_state "$c" '.container.execLogs | keys_unsorted | [first, last] | join(" ")')" '7 70'
	equal "$(find "$T/log/$c" -name 'exec-*' | wc -l)" 70
	thole delete --force "$c"
	[ ! -e "$T/log/$c" ]
}

@test "logs -f --exec: ends with that process, whoever else writes" {
	local name follower
	name=$(thole exec -d --print-name --log-driver raw "$c" sh -c 'echo one; until [ -e /tmp/go ]; do usleep 1000; done; echo two' < /dev/null)
	thole exec -d --log-driver raw --log-opt max-size=1m "$c" sh -c 'while :; do echo more; usleep 10000; done' < /dev/null
	in_background timeout 20 "$THOLE" --root "$ROOT" logs -f --exec "$name" "$c" > "$T/followed"
	follower=$!
	wait_for grep -q one "$T/followed"
	touch "$B/rootfs/tmp/go"
	exits 0 wait $follower
	equal "$(cat "$T/followed")" $'one\ntwo'
	# And at once of one that has ended.
	equal "$(timeout 20 "$THOLE" --root "$ROOT" logs -f --exec "$name" "$c")" $'one\ntwo'
	is "$c" running
}

@test "deleted while one writes on: no log comes back afterwards, where the directory stays" {
	thole delete --force "$c"
	# In the host's pid namespace and without a group it outlives the container, and a hook keeps the shim for as long.
	config '.linux.namespaces |= map(select(.type != "pid"))'
	config --arg tmp "$B/rootfs/tmp" '.hooks.poststop = [{path: "/bin/sh",
		args: ["sh", "-c", "touch \($tmp)/go; until [ -e \($tmp)/wrote ]; do sleep 0.02; done"]}]'
	thole --cgroup-manager disabled run -d --bundle "$B" "$c" < /dev/null
	thole exec -d --log-driver raw --log-opt max-size=4k "$c" sh -c 'until [ -e /tmp/go ]; do usleep 1000; done; /usr/bin/records 40000 64; touch /tmp/wrote' < /dev/null
	touch "$T/log/$c/checkpoint"
	thole delete --force "$c"
	[ -e "$B/rootfs/tmp/wrote" ]
	wait_for no_shims
	equal "$(ls "$T/log/$c")" checkpoint
	rm -r "$T/log/$c"
}
