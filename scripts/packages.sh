# Sourced by the other scripts: what is needed from Debian, and how it is installed when missing.

build_packages="g++ cmake ninja-build pkg-config libzydis-dev libsdl2-dev libfmt-dev libcli11-dev libzstd-dev libpng-dev
  seabios"
guest_packages="cpio kmod gzip"
test_packages="catch2 libasmjit-dev zlib1g-dev gcc-multilib grub-pc-bin grub-common xorriso mtools xvfb xdotool scrot
  e2fsprogs python3"
sanitizer_packages="clang-16 libclang-rt-16-dev llvm-16"

# install_packages NAME...: installs those that are missing, by name, as root or through sudo.
install_packages() {
  local missing=() name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing: ${missing[*]}"
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || { echo "need root or sudo to install: ${missing[*]}" >&2; return 1; }
  fi
  $sudo apt-get -q update || echo "some package lists failed; going on"
  DEBIAN_FRONTEND=noninteractive $sudo apt-get -q -y install --no-install-recommends "${missing[@]}"
}
