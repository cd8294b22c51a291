#!/usr/bin/env bash
# Build the wheel, install it into a fresh environment, and serve from there: what a user gets, without this checkout.
# PYTHON chooses the interpreter. Everything is made in a directory that is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$place"
}
trap finish EXIT

"${PYTHON:-python3}" -m venv "$place/venv"
pip=("$place/venv/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" wheel --no-deps --wheel-dir "$place/dist" .
wheels=("$place"/dist/spoold-*.whl)
[ "${#wheels[@]}" -eq 1 ] || { echo "expected one wheel: ${wheels[*]}" >&2; exit 1; }
"${pip[@]}" install "${wheels[0]}"

# From elsewhere, so that nothing of the checkout is imported.
cd "$place"
export PATH="$place/venv/bin:$PATH" SPOOLD_URL="unix://$place/spoold.sock"
spoold --version
spoold serve --redis "unix:$place/spoold.sock" --memcached off --memcached-queue off --simple off \
    --http "unix:$place/http.sock" --data "$place/data" >"$place/out" 2>&1 &
server=$!
for _ in $(seq 200); do
    [ ! -S "$place/spoold.sock" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
done
spoold status || { cat "$place/out" >&2; exit 1; }
spoold push wheel one two
[ "$(spoold pop wheel)" = one ]
# The parts that read files of the package: Lua, the console.
python - "$place" <<'PYTHON'
import socket, sys

from spoold.client.redis import Client

place = sys.argv[1]
with Client(unix_path=f"{place}/spoold.sock") as client:
    assert client.call("EVAL", "return cjson.encode({redis.call('LLEN', KEYS[1])})", 1, "wheel") == b"[1]"
with socket.socket(socket.AF_UNIX) as http:
    http.connect(f"{place}/http.sock")
    http.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = b"".join(iter(lambda: http.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
PYTHON
kill -TERM "$server"
wait "$server"
server=
echo "the wheel works: ${wheels[0]##*/}"
