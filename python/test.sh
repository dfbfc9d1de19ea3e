#!/usr/bin/env bash
# Builds the wheel, installs it into an environment of its own, and runs the tests.
# Needs Rust and Python 3.10 or newer; fetches the rest. With --spark also the tests on Spark, which need Java 17;
# with --release the wheel is built as it is published.
set -euo pipefail
cd "$(dirname "$0")"
spark= profile=dev
for argument; do
    case $argument in
        --spark) spark=1 ;;
        --release) profile=release ;;
        *) echo "error: unknown argument '$argument'; known are --spark --release" >&2; exit 2 ;;
    esac
done

target=$(cd .. && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
venv=$target/python-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
packages=(maturin pytest pyarrow polars pandas)
[ -z "$spark" ] || packages+=(pyspark pysail "setuptools<81" grpcio grpcio-status googleapis-common-protos zstandard)
"$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"

rm -rf "$target/python-wheel"
"$venv/bin/maturin" build --quiet --profile "$profile" --interpreter "$venv/bin/python" --out "$target/python-wheel"
"$venv/bin/maturin" sdist --quiet --out "$target/python-wheel"
"$venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps "$target"/python-wheel/*.whl

# Out of this folder, so that the package that is tested is the one that was installed.
tests=$PWD/tests
cd "$target"
run() { "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@"; }
run "$tests" --ignore "$tests/test_spark.py"
[ -z "$spark" ] || for engine in local cluster sail; do DESCALE_SPARK=$engine run "$tests/test_spark.py"; done
