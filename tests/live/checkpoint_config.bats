# SPDX-License-Identifier: Apache-2.0
# needs: root cgroup criu
# What is restored is what the config says, where criu knows nothing of it: keyring.
load lib

setup_file() { make_criu; }

setup_test() {
	export THOLE_CRIU=$BUILD/criu/bin/criu
	IMG=$T/img
	bundle
}

checkpoint() { timeout 60 "$THOLE" --root "$ROOT" checkpoint --image-path "$IMG" "$@" "$c"; }
restore() { timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" "$@" "$c" < /dev/null; }

# In a user namespace, whose ids are the host's from 100000 on.
in_user_namespace() {
	owned_rootfs 100000 100000
	chmod 711 "$T"
	config '.linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
}

logged_in() { grep -qF -- "$2" "$1"; }

longer() { [ "$(wc -l < "$1")" -gt "$2" ]; }

# The log says that, and nothing else, and goes on after its first N lines. The last may be half there.
says_alone() { # FILE TEXT [N]
	wait_for longer "$1" $((${3:-0} + 3))
	equal "$(sed '$d; s/^[^ ]* stdout F //' "$1" | sort -u)" "$2" "$1"
}

@test "the session keyring of what is restored is the container's, not the caller's; --no-new-keyring leaves it that" {
	local how
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	for how in plain user; do
		[ $how = plain ] || in_user_namespace
		args /usr/bin/keyring watch
		"$PROBES/keyring" join caller "$THOLE" --root "$ROOT" run -d --bundle "$B" --log-path "$T/$how.1" "$c" < /dev/null
		wait_for logged_in "$T/$how.1" "session=_ses.$c secret=none"
		checkpoint
		"$PROBES/keyring" join caller timeout 60 "$THOLE" --root "$ROOT" restore -d --bundle "$B" --image-path "$IMG" --log-path "$T/$how.2" "$c" < /dev/null
		says_alone "$T/$how.2" "session=_ses.$c secret=none"
		thole delete --force "$c"
		"$PROBES/keyring" join caller timeout 60 "$THOLE" --root "$ROOT" restore -d --no-new-keyring --bundle "$B" --image-path "$IMG" --log-path "$T/$how.3" "$c" < /dev/null
		says_alone "$T/$how.3" 'session=caller secret=read'
		thole delete --force "$c"
		rm -r "$IMG"
	done
}

@test "in place a container gets its session keyring back, not its shim's; the caller's where it had that" {
	grep -q keyring /proc/keys || skip 'needs: keyrings'
	args /usr/bin/keyring watch
	"$PROBES/keyring" join caller "$THOLE" --root "$ROOT" run -d --bundle "$B" --log-path "$T/1" "$c" < /dev/null
	wait_for logged_in "$T/1" "session=_ses.$c secret=none"
	thole checkpoint --to "$T/set" "$c"
	local n
	n=$(wc -l < "$T/1")
	thole restore -d "$c"
	says_alone "$T/1" "session=_ses.$c secret=none" $n
	thole delete --force "$c"
	"$PROBES/keyring" join caller "$THOLE" --root "$ROOT" run -d --no-new-keyring --bundle "$B" --log-path "$T/2" "$c" < /dev/null
	wait_for logged_in "$T/2" 'session=caller secret=read'
	thole checkpoint --to "$T/set" "$c"
	n=$(wc -l < "$T/2")
	thole restore -d "$c"
	says_alone "$T/2" 'session=caller secret=read' $n
}
