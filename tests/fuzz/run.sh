#!/usr/bin/env bash
# One run of a fuzz target: all seeds and all that is known already are replayed, and then it goes on from there.
# Usage: run.sh PROGRAM TARGET SECONDS FOLDER [OPTION-OF-LIBFUZZER...]
# FOLDER/corpus grows and may be used again; findings are FOLDER/crash-*, timeout-*, oom-* and leak-*; FOLDER/seconds has
# a line for each run.
set -eu
program=$1 target=$2 seconds=$3 folder=$4
shift 4
checked_in=$(cd "$(dirname "$0")" && pwd)/corpus/$target
mkdir -p "$folder/corpus"
"$program" --write-seeds "$folder/seeds"
known=("$folder/corpus" "$folder/seeds")
[ -d "$checked_in" ] && known+=("$checked_in")

# How long an input may be, and the memory that the largest machine of `images` may take.
case $target in
  clients) longest=2048 memory=2048 ;;
  code) longest=1024 memory=2048 ;;
  devices) longest=4096 memory=2048 ;;
  images) longest=4096 memory=4096 ;;
  options) longest=2048 memory=2048 ;;
esac
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}
started=$(date +%s)
status=0
if [ "$seconds" -eq 0 ]; then
  "$program" -runs=0 "$@" "${known[@]}" || status=$?
else
  "$program" -max_total_time="$seconds" -max_len="$longest" -rss_limit_mb="$memory" -timeout=100 -artifact_prefix="$folder/" \
    -len_control=0 -print_final_stats=1 "$@" "${known[@]}" || status=$?
fi
echo "$(($(date +%s) - started)) $(date -u +%Y-%m-%dT%H:%M:%SZ) status $status" >>"$folder/seconds"
exit $status
