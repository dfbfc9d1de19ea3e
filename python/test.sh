#!/usr/bin/env bash
# Builds wheel and sdist, installs the wheel into an environment of its own, and runs the tests on it.
# Needs Rust and Python 3.10 or newer; fetches the rest. With --spark also the tests on classic Spark, which need Java 17.
set -euo pipefail
cd "$(dirname "$0")"
spark=
for argument; do
    [ "$argument" = --spark ] || { echo "error: unknown argument '$argument'; the only one is --spark" >&2; exit 2; }
    spark=1
done
[ -z "$spark" ] || command -v java >/dev/null || { echo "error: Spark needs Java; install openjdk-17-jre-headless" >&2; exit 1; }

target=$(cd .. && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
wheels=$target/python-wheels

# environment NAME PACKAGE...: makes it where it is missing.
environment() {
    local venv=$target/$1
    shift
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# tests NAME ARGUMENT...: runs them with the wheel, out of this folder, so that nothing is imported from it.
tests() {
    local venv=$target/$1
    shift
    "$venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheels"/*.whl
    (cd "$target" && "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@")
}

# Sail speaks Spark Connect up to 4.2.
environment python-venv maturin pytest pyarrow polars pandas pysail "pyspark-client>=4.0,<4.3"
rm -rf "$wheels"
"$target/python-venv/bin/maturin" build --quiet --profile dev --interpreter "$target/python-venv/bin/python" --out "$wheels"
"$target/python-venv/bin/maturin" sdist --out "$wheels" 2>&1 | tail -1
tar -tzf "$wheels"/*.tar.gz --wildcards '*/src/engine/mod.rs' >/dev/null || { echo "error: the sdist lacks the library" >&2; exit 1; }
tests python-venv "$PWD/tests"

if [ -n "$spark" ]; then
    environment spark-venv pytest pyarrow polars "pandas<3" "pyspark>=4.0,<4.3"
    for engine in local cluster; do
        DESCALE_SPARK=$engine tests spark-venv "$PWD/tests/test_spark.py"
    done
fi
