# Sourced by scripts that need the project installed and built. Says only what it really has to do.

prepare() {
  local root=$1
  need_node
  cd "$root"
  install_packages
  build
  cd - >/dev/null
}

# Prints what stands at a script's head, if that is asked for. Arguments: the script, and its own.
help_if_asked() {
  local script=$1 word
  shift
  for word in "$@"; do
    case $word in
      -h | --help)
        sed -n '2,/^set /{s/^# \{0,1\}//p}' "$script"
        exit 0
        ;;
    esac
  done
}

# The rest of them run in the project's folder.

install_packages() {
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo "Installing what package-lock.json names ..."
    npm ci --no-fund --no-audit --loglevel=error
  fi
}

build() {
  if [ ! -e dist/.built ] || [ -n "$(find src proto package.json scripts/build.mjs scripts/lib -newer dist/.built -print -quit)" ]; then
    echo "Building ..."
    rm -rf dist
    npm run --silent build && touch dist/.built
  fi
}

need_node() {
  if ! command -v node >/dev/null || ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    echo "turbo-beep needs Node.js 20.19 or newer; here is $(node --version 2>/dev/null || echo none)." >&2
    exit 2
  fi
}
