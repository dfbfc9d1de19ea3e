#!/usr/bin/env bash
# Builds wheel and sdist, installs each into a bare environment, and runs the tests on the wheel in an environment of its own.
# Needs Rust and Python 3.10 or newer; fetches the rest. With --spark also the tests on classic Spark (local, two executors,
# Connect), which need Java 17.
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

# smoke PACKAGE ARGUMENT...: what works in an environment that holds nothing else.
smoke() {
    local bare=$target/bare-venv
    rm -rf "$bare"
    python3 -m venv "$bare"
    # Crates that are built here already are not built again.
    CARGO_TARGET_DIR=$target "$bare/bin/pip" install --quiet --disable-pip-version-check "$@"
    (
        cd "$target"
        "$bare/bin/python" - <<'PY'
import descale

assert descale.similarity("one two three", "one two three").jaccard == 1
assert descale.tokenize(["one two"]).num_rows == 1
PY
        "$bare/bin/descale" --version
        printf '{"text":"one two three"}\n{"text":"One, two, three!"}\n' |
            "$bare/bin/descale" dedup - --format jsonl --out - --quiet | grep -c one | grep -qx 1
    )
    rm -rf "$bare"
}

# Sail speaks Spark Connect up to 4.2.
echo "python: wheel, sdist"
environment python-venv maturin mypy "moto[s3,server]>=5,<6" pytest pyarrow polars pandas datasets pysail "pyspark-client>=4.0,<4.3"
rm -rf "$wheels"
"$target/python-venv/bin/maturin" build --quiet --profile dev --interpreter "$target/python-venv/bin/python" --out "$wheels"
"$target/python-venv/bin/maturin" sdist --out "$wheels" 2>&1 | tail -1
tar -tzf "$wheels"/*.tar.gz --wildcards '*/src/engine/mod.rs' >/dev/null || { echo "error: the sdist lacks the library" >&2; exit 1; }
smoke "$wheels"/*.whl
smoke "$wheels"/*.tar.gz --config-settings=build-args=--profile=dev
echo "python: tests, Sail"
tests python-venv "$PWD/tests"

if [ -n "$spark" ]; then
    export -f environment
    export target
    code=0
    timeout "${SPARK_FETCH_SECONDS:-3600}" bash -euc 'environment "$@"' - \
        spark-venv pytest pyarrow polars "pandas<3" "pyspark[connect]>=4.0,<4.3" || code=$?
    if [ "$code" = 124 ]; then
        echo "python: Spark was not fetched in $SPARK_FETCH_SECONDS s; its tests are SKIPPED"
        exit 0
    fi
    [ "$code" = 0 ] || exit "$code"
    for engine in local cluster connect; do
        echo "python: Spark, $engine"
        DESCALE_SPARK=$engine tests spark-venv "$PWD/tests/test_spark.py"
    done
fi
