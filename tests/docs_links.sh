#!/usr/bin/env bash
# Checks README.md and docs/: every relative link leads to something that exists (and to a heading that exists), and every
# path of ours in backticks (`src/...`, `tests/...`) exists. Patterns may hold *, placeholders are in capitals (NAME).
# Usage: docs_links.sh PROJECT
set -u
cd "$1" || exit 1
bad=0
complain() {
  echo "$1"
  bad=1
}

# The text without fenced code blocks.
prose() { awk '/^ *```/ {fenced = !fenced; next} !fenced' "$1"; }

# Headings as anchors: lower case, no punctuation, dashes for blanks.
has_anchor() {
  prose "$1" | sed -n 's/^##* *//p' | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g' | grep -qxF "$2"
}

check_link() {  # FILE LINK
  local path=${2%%#*} anchor=
  case $2 in *://* | mailto:*) return ;; *\#*) anchor=${2#*#} ;; esac
  local target=$1
  [ -z "$path" ] || target=$(dirname "$1")/$path
  [ -e "$target" ] || { complain "$1: link to $2: no such file"; return; }
  [ -z "$anchor" ] || has_anchor "$target" "$anchor" || complain "$1: link to $2: no such heading"
}

check_path() {  # FILE PATH
  case $2 in *[A-Z][A-Z]*) return ;; esac
  compgen -G "$2" >/dev/null || complain "$1: \`$2\`: no such file"
}

count=0
while IFS= read -r file; do
  while IFS= read -r link; do
    check_link "$file" "$link"
    count=$((count + 1))
  done < <(prose "$file" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//')
  while IFS= read -r path; do
    check_path "$file" "$path"
    count=$((count + 1))
  done < <(prose "$file" | grep -oE '`(\./)?(src|tests|roms|bench|scripts|docs)/[^` ]*`' | tr -d '\140')
done < <(find README.md docs -name '*.md')
[ "$count" -gt 0 ] || complain "no links found: is $1 the project?"
exit $bad
