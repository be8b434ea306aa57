#!/usr/bin/env bash
# Checks who may include whom (docs/architecture.md), and that OS headers stay in host_*.cpp and frontends.
# Usage: include_directions.sh PROJECT
set -u
cd "$1/src" || exit 1
bad=0
allow() {  # allow FOLDER MAY...: every #include "x/..." in FOLDER must name FOLDER itself or one of MAY
  local folder=$1 pattern
  shift
  pattern=$(printf '|%s' "$folder" "$@")
  pattern=${pattern:1}
  [ -d "$folder" ] || return 0
  if grep -rnE '#include "' "$folder" | grep -vE "#include \"($pattern)/"; then
    echo "^ $folder may include only: $folder $*"
    bad=1
  fi
}
allow base
allow cpu base
allow jit cpu base
allow trap cpu base
allow devices base
allow trace cpu base jit
allow frontend base devices
allow machine base cpu jit trap devices trace frontend roms
os='<(sys/|unistd\.h|signal\.h|fcntl\.h|pthread\.h|poll\.h|termios\.h|ucontext\.h|linux/|asm/|netinet/|dlfcn\.h)'
if grep -rnE "#include $os" . --include='*.cpp' --include='*.hpp' | grep -vE '(^|/)host_[a-z_0-9]*\.cpp:'; then
  echo "^ operating-system headers belong in host_*.cpp"
  bad=1
fi
exit $bad
