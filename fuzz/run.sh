#!/bin/sh
# Builds a target for fuzzing with the stable compiler and runs it: sh fuzz/run.sh TARGET SECONDS
set -eu
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
if [ "$1" = address ]; then
    cd ..
    export RUSTFLAGS="-Zsanitizer=address"
    exec nice -n 19 cargo test -j1 --lib --target "$host" --target-dir fuzz/target/address
fi
cover="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
export RUSTFLAGS="--cfg fuzzing $cover -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
nice -n 19 cargo build -j1 --release --target "$host" --bin "$1"
mkdir -p "found/$1"
exec nice -n 19 "target/$host/release/$1" -max_total_time="$2" -max_len=4096 -artifact_prefix="found/$1/" "found/$1" "corpus/$1"
