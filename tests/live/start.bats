# SPDX-License-Identifier: Apache-2.0
# needs: x86-64
# What our static programs do before main() (common/start.c), in a small one of the same kind.
load lib

start() { WORD=$1 "$BUILD/probes/start" "$1" > "$T/$1" || fail "$(cat "$T/$1")"; }
said() { sed -n "s/^$2=//p" "$T/$1"; } # RUN KEY

@test "arguments, environment, threads, constructors and what runs at the end are there" {
	start a-word
	equal "$(grep -v '^canary\|^pointers' "$T/a-word")" "$(printf '%s\n' 'argv=2 a-word' env=a-word constructed=1 'thread=17 17' longjmp=1 copies=1 float=5.000 secure=0 "page=$(getconf PAGESIZE)" name=start atexit=1 destructor=1)" 'what it says'
}

@test "the stack protector's canary and the pointers' guard are the kernel's random bytes, others in each run" {
	start one
	start two
	local key
	for key in canary pointers; do
		[ "$(said one $key)" != 0 ] && [ "$(said one $key)" != "$(said two $key)" ] || fail "$key: $(said one $key) $(said two $key)"
	done
	# A string that runs over its end stops at the canary's first byte.
	[[ $(said one canary) == *00 && $(said two canary) == *00 ]] || fail "$(said one canary)"
}

@test "a buffer that is written beyond its end ends the program" {
	local status=0
	"$BUILD/probes/start" > "$T/out" 2>&1 || status=$?
	equal $status $((128 + $(kill -l ABRT))) 'its status'
	grep -q 'stack smashing detected' "$T/out" || fail "$(cat "$T/out")"
}
