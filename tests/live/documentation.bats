# SPDX-License-Identifier: Apache-2.0
# Man pages and completions: made from the tables of the program, so they have to say what it says, and work where they are meant to.
load lib

commands() {
	"$THOLE" help | sed -nE 's/^  ([a-z-]+) .*/\1/p'
}

options() { # COMMAND: as its help names them
	"$THOLE" help "$1" | tail -n +3 | grep -oE -- '--[a-z][a-z0-9-]*' | sort -u
}

page() { # FILE: as text, without emphasis
	mandoc -Tascii -O width=200 "$BUILD/docs/man/$1" | col -b
}

@test "man pages: one for each command, with every option and operand that its help has" {
	needs mandoc
	local cmd option
	for cmd in $(commands); do
		page "thole-$cmd.1" > "$T/page"
		contains "$(cat "$T/page")" "$("$THOLE" help "$cmd" | sed -n 2p)"
		for option in $(options "$cmd"); do
			grep -qE -- "(^|[ ,[])$option([][ ,=]|\$)" "$T/page" || fail "thole-$cmd.1 has no $option: $(cat "$T/page")"
		done
	done
	# And no page of a command that is not there.
	equal "$(cd "$BUILD/docs/man" && printf '%s\n' thole-*.1 | sed 's/thole-\(.*\)\.1/\1/' | grep -vx oci | sort)" "$(commands | sort)"
	page thole.1 > "$T/page"
	for cmd in $(commands); do
		grep -q "thole-$cmd(1)" "$T/page" || fail "thole.1 has no $cmd"
	done
	for option in $("$THOLE" help | grep -oE -- '--[a-z][a-z-]*' | sort -u); do
		grep -q -- "$option" "$T/page" || fail "thole.1 has no $option"
	done
}

@test "man pages are free of what mandoc and man warn of" {
	needs mandoc
	local f
	for f in "$BUILD"/docs/man/*; do
		equal "$(mandoc -Tlint -Wwarning "$f")" ''
		equal "$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$f" 2>&1 > "$T/out")" '' "$f"
		[ -s "$T/out" ]
	done
}

section() { # NAME: of the page in $T/page
	sed -n "/^$1\$/,/^[A-Z]/p" "$T/page"
}

@test "man pages: quotes end where they should, and the words that an option takes are shown as it takes them" {
	needs mandoc
	local f word
	for f in "$BUILD"/docs/man/*; do
		page "${f##*/}" > "$T/page"
		not grep -nE "\`[^']*\`" "$T/page"
	done
	page thole.1 > "$T/page"
	contains "$(tr -s ' \n' '  ' < "$T/page")" "letters, digits and \`_', \`+', \`.' and \`-'."
	page thole-oci.1 > "$T/page"
	contains "$(tr -s ' \n' '  ' < "$T/page")" '(--monitor=foreign of thole-run(1))'
	for f in run create restore; do
		page "thole-$f.1" > "$T/page"
		not grep -E 'Conmon|Container, ' "$T/page"
		word=$(sed -nE 's/^ *--sdnotify ([a-z|]+)$/\1/p' "$T/page")
		equal "$word" 'conmon|container|ignore' "$f"
	done
	# Whatever else: it is refused, so these are all.
	refused 125 'conmon, container or ignore' "$THOLE" run --sdnotify Conmon x
	page thole-exec.1 > "$T/page"
	grep -q 'thole exec \[OPTIONS\] ID \[COMMAND \[ARG \.\.\.\]\]' "$T/page"
}

@test "man pages: thole-checkpoint tells each of its statuses, and each word that may stand in the place of an id" {
	needs mandoc
	local n
	page thole-checkpoint.1 > "$T/page"
	for n in $(sed -nE 's/^\tEXIT_[A-Z_]+ = ([0-9]+),.*/\1/p' "$TREE/client/commands/checkpoint_set.c"); do
		section 'EXIT STATUS' | grep -qE "^[[:space:]]+$n[[:space:]]" || fail "no status $n"
	done
	for n in 'inspect IMG' 'export IMG FILE' 'import FILE DIR'; do
		section SYNOPSIS | grep -qE "thole checkpoint \[OPTIONS\] $n\$" || fail "no $n in the synopsis"
		section DESCRIPTION | grep -qE "^[[:space:]]+$n([[:space:]]|\$)" || fail "$n is not described"
	done
	page thole.1 > "$T/page"
	contains "$(section 'EXIT STATUS')" 'thole-checkpoint(1)'
}

@test "pages that are written whole name what is there" {
	needs mandoc
	local other
	for other in $(cd "$BUILD/docs/man" && cat ./* | sed -n 's/^\.Xr \(thole[a-z-]*\) \([18]\).*/\1.\2/p' | sort -u); do
		[ -e "$BUILD/docs/man/$other" ] || fail "a page refers to $other"
	done
}

# bash's own variables, filled as it fills them when the last word is to be completed. "=" is a word of its own.
completed() { # WORD...
	bash -c 'source "$0"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _thole; printf "%s\n" "${COMPREPLY[@]}"' "$BUILD/docs/completions/thole.bash" "$@"
}

@test "bash completes commands, options, words, files and signals" {
	local cmd
	equal "$(completed thole '' | sort)" "$(commands | sort)"
	equal "$(completed thole help '' | sort)" "$(commands | sort)"
	for cmd in $(commands); do
		equal "$(completed thole "$cmd" -- | sort | grep -vx -e --help)" "$(options "$cmd")" "$cmd"
	done
	equal "$(completed thole --rootle)" --rootless
	equal "$(completed thole list --format '')" $'table\njson'
	equal "$(completed thole list --format = j)" json
	equal "$(completed thole --log-format = t)" text
	equal "$(completed thole run --bundle /etc/ssl)" /etc/ssl
	equal "$(completed thole run --bundle /etc/passw)" ''
	equal "$(completed thole run --log-path "$TREE/HACK")" "$TREE/HACKING.md"
	equal "$(completed thole run --memory '')" ''
	contains "$(completed thole kill x T)" TERM
	contains "$(completed thole exec x ca)" cat
	equal "$(completed thole --rootless '')" $'true\nfalse\nauto'
	for cmd in run create restore exec; do
		equal "$(completed thole $cmd --log-driver j)" $'json-file\njournald' "$cmd"
	done
	for cmd in run create restore; do
		equal "$(completed thole $cmd --sdnotify = '')" $'conmon\ncontainer\nignore' "$cmd"
		equal "$(completed thole $cmd --shim-cgroup '')" $'own\nkeep' "$cmd"
	done
	for cmd in 'checkpoints' 'restore --from' 'checkpoint inspect' 'checkpoint export' 'checkpoint import x'; do
		# shellcheck disable=SC2086 # words
		equal "$(completed thole $cmd /etc/ssl)" /etc/ssl "$cmd"
		# shellcheck disable=SC2086 # words
		equal "$(completed thole $cmd /etc/passw)" '' "$cmd"
	done
	equal "$(completed thole checkpoint export x "$TREE/HACK")" "$TREE/HACKING.md"
	equal "$(completed thole checkpoint import "$TREE/HACK")" "$TREE/HACKING.md"
}

@test "bash completes no options of thole's where they have ended" {
	local cmd
	for cmd in 'exec x ls' 'exec -t x ls' 'exec --env A=B x ls' 'ps x' 'run x' 'run --rootfs /r --' 'run --rootfs /r -- ls' 'state --'; do
		# shellcheck disable=SC2086 # words
		equal "$(completed thole $cmd -)" '' "$cmd"
	done
	contains "$(completed thole exec -t -)" --env
	contains "$(completed thole --root x exec --env A=B -)" --env
	contains "$(completed thole kill x -)" --all
	contains "$(completed thole exec x ca)" cat
}

@test "bash completes ids of containers, below the state directory that was named" {
	needs root cgroup
	bundle
	detached sleep 1000
	local cmd
	for cmd in state kill exec wait checkpoint 'checkpoint --leave-running' 'logs -f' 'logs --tail 3' stats "stats $c"; do
		# shellcheck disable=SC2086 # words
		equal "$(completed "$THOLE" --root "$ROOT" $cmd '' | grep -vxE 'inspect|export|import')" "$c" "$cmd"
	done
	equal "$(completed "$THOLE" --root "$ROOT" checkpoint '' | sort)" "$(printf '%s\n' export import inspect "$c" | sort)"
	equal "$(completed "$THOLE" --root "$ROOT" checkpoint inspect "${c:0:2}")" ''
	equal "$(completed "$THOLE" --root = "$ROOT" state "${c:0:2}")" "$c"
	equal "$(completed "$THOLE" --root "$ROOT" state "$c" '')" ''
	equal "$(completed "$THOLE" --root "$T/none" state '')" ''
}

@test "an interactive bash has completed it" {
	printf '%s\n' "source '$BUILD/docs/completions/thole.bash'" 'PS1=' > "$T/rc"
	ln -s "$THOLE" "$T/thole"
	# The tab is typed; what it has made of the word is run.
	printf 'thole vers\t > %s\nexit\n' "$T/out" |
		PATH=$T:$PATH TERM=dumb timeout 30 bash --noprofile --rcfile "$T/rc" -i > "$T/screen" 2>&1
	contains "$(cat "$T/out")" "$(cat "$TREE/VERSION")"
}

# What zsh shows after TAB TAB, in a terminal of its own. It stays until it has shown the pattern, or its time is over.
zsh_shows() { # TYPED PATTERN
	cat > "$T/shows.zsh" <<-'END'
		zmodload zsh/zpty || exit 3
		zpty z zsh -f -i
		zpty -w z 'PS1="<""PROMPT>"; TERM=dumb; bindkey "^I" expand-or-complete; LISTMAX=1000'
		zpty -r z out '*<PROMPT>*'
		zpty -w z "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; print REA''DY"
		zpty -r z out '*READY*'
		zpty -n -w z "$2"$'\t\t'
		zpty -r z out "*$3*" && print -r -- "$out"
	END
	timeout 60 zsh -f "$T/shows.zsh" "$BUILD/docs/completions" "$@" < /dev/null
}

@test "zsh completes commands, options and words" {
	needs zsh
	zsh -n "$BUILD/docs/completions/_thole"
	matches "$(zsh_shows 'thole res' resume)" resume
	matches "$(zsh_shows 'thole run --detac' detach-keys)" detach-keys
	matches "$(zsh_shows 'thole list --format ' table)" table
	matches "$(zsh_shows 'thole run --log-driver ' journald)" journald
	mkdir -p "$T/set/image-of-then"
	touch "$T/set/a-file"
	matches "$(zsh_shows "thole checkpoints $T/set/" image-of-then)" image-of-then
	matches "$(zsh_shows "thole checkpoint inspect $T/set/" image-of-then)" image-of-then
	matches "$(zsh_shows "thole checkpoint import $T/set/" a-file)" a-file
}

@test "zsh and fish complete ids of containers, below the state directory that was named, and checkpoint's words" {
	needs root cgroup zsh fish
	bundle
	detached sleep 1000
	mkdir "$T/bin"
	ln -s "$THOLE" "$T/bin/thole"
	local PATH=$T/bin:$PATH
	equal "$(fish_completes "thole --root $ROOT state ")" "$c"
	equal "$(fish_completes "thole --root=$ROOT exec ")" "$c"
	equal "$(fish_completes "thole --root $T/none state ")" ''
	equal "$(fish_completes "thole --root $ROOT checkpoint ")" "$(printf '%s\n' export import inspect "$c" | sort)"
	matches "$(zsh_shows "thole --root $ROOT state " "$c")" "$c"
	matches "$(zsh_shows "thole --root $ROOT checkpoint " "($c*inspect|inspect*$c)")" inspect
}

fish_completes() { fish --no-config -c "source '$BUILD/docs/completions/thole.fish'; complete -C '$1'" | cut -f1 | sort; }

@test "fish completes commands, options and words" {
	needs fish
	equal "$(fish_completes 'thole ')" "$(commands | sort)"
	equal "$(fish_completes 'thole-oci res')" $'restore\nresume'
	equal "$(fish_completes 'thole run --detac')" $'--detach\n--detach-keys'
	equal "$(fish_completes 'thole list --format ')" $'json\ntable'
	matches "$(fish_completes 'thole update --')" --cpu-quota
	equal "$(fish_completes 'thole --rootless ')" $'auto\nfalse\ntrue'
	equal "$(fish_completes 'thole run --sdnotify c')" $'conmon\ncontainer'
	mkdir -p "$T/set/image-of-then"
	touch "$T/set/i-am-a-file"
	equal "$(fish_completes "thole checkpoints $T/set/i")" "$T/set/image-of-then/"
	equal "$(fish_completes "thole checkpoint inspect $T/set/i")" "$T/set/image-of-then/"
	equal "$(fish_completes "thole restore --from $T/set/i")" "$T/set/image-of-then/"
	contains "$(fish_completes "thole checkpoint import $T/set/i")" i-am-a-file
}

@test "the examples: a config that is accepted, commands and options that exist" {
	needs root cgroup
	local cmd
	mkdir "$T/b"
	cp -a "$(template)" "$T/b/rootfs"
	mkdir "$T/b/rootfs/srv"
	cp "$TREE/contrib/examples/config.json" "$T/b/"
	thole create --bundle "$T/b" "$c" < /dev/null
	is "$c" created
	thole delete "$c"
	for cmd in $(sed '/^#/d' "$TREE"/contrib/examples/{thole@.service,crontab,logrotate} | grep -oE '(/usr/bin/)?thole [a-z]+' | sed 's/.* //' | sort -u); do
		commands | grep -qx "$cmd" || fail "an example has thole $cmd"
	done
}

# The crontab's line that begins a container again, as cron runs it.
begin_again() {
	local line
	line=$(sed -n '/^\*\/5/s/^[^a-z]*root[[:space:]]*//p' "$TREE/contrib/examples/crontab" | sed "s,/srv/containers/web,$B,; s/\<web\>/$c/g")
	PATH=$T/bin:$PATH sh -c "$line" < /dev/null
}

# It does so with one that has ended or is not there, and with no other.
begins_again() { # [YES]
	local before
	before=$(init_of "$c")
	begin_again > "$T/cron" 2>&1 || true
	equal "$(cat "$T/cron")" '' "mail from cron"
	if [ "${1:-}" ]; then is "$c" running; else equal "$(init_of "$c")" "$before"; fi
}

crontab_setup() {
	mkdir "$T/bin"
	printf '#!/bin/sh\nexec "%s" --root "%s" "$@"\n' "$THOLE" "$ROOT" > "$T/bin/thole"
	chmod +x "$T/bin/thole"
	bundle
	args sleep 1000
}

@test "the example's crontab begins a container again that has ended or is not there, and leaves others alone" {
	needs root cgroup
	crontab_setup
	config '.annotations = { status: "stopped", text: "\"status\": \"stopped\"" }'
	begins_again yes
	begins_again
	thole pause "$c"
	begins_again
	is "$c" paused
	thole resume "$c"
	thole kill "$c" KILL
	wait_for is "$c" stopped
	begins_again yes
	thole delete --force "$c"
	thole create --bundle "$B" "$c" < /dev/null
	begins_again
	is "$c" created
}

@test "the example's crontab leaves a container alone that waits after checkpoint --to" {
	needs root cgroup criu
	make_criu
	crontab_setup
	thole run -d --bundle "$B" "$c" < /dev/null
	thole --criu "$BUILD/criu/bin/criu" checkpoint --to "$T/set" "$c"
	begins_again
	is "$c" checkpointed
}

@test "SECURITY.md: each flaw that it lists is staged by a test that names it, and the tests that it names are there" {
	local flaw name
	for flaw in $(sed -n 's/^| \(20[0-9-]*\(, 20[0-9-]*\)*\) |.*/\1/p' "$TREE/SECURITY.md" | tr -d ,); do
		grep -rqF -- "$flaw" "$TREE"/tests/live/*.bats "$TREE"/tests/unit || fail "no test says that it stages $flaw"
	done
	for name in $(sed -n '/^| CVE/,$p' "$TREE/SECURITY.md" | grep -oE '[a-z_]+\.bats|[a-z]+_[a-z_]*test\b'); do
		[ -e "$TREE/tests/live/$name" ] || [ -e "$TREE/tests/unit/$name.c" ] || fail "SECURITY.md names $name"
	done
}
