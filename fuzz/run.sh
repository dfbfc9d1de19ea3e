#!/bin/sh
# Builds a target for fuzzing with the stable compiler and runs it: sh fuzz/run.sh TARGET SECONDS (of processor time)
set -eu
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
if [ "$1" = address ]; then
    cd ..
    # One test leaks on purpose.
    export RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=0
    exec nice -n 19 cargo test -j1 --lib --target "$host" --target-dir fuzz/target/address
fi
if [ "$1" = memcheck ]; then
    cd ..
    export PROPTEST_CASES=8 "CARGO_TARGET_$(echo "$host" | tr a-z- A-Z_)_RUNNER=valgrind --quiet --error-exitcode=9"
    unset RUSTC_BOOTSTRAP
    for kernel in avx2 portable; do
        DESCALE_KERNEL=$kernel nice -n 19 cargo test -j1 --lib -- --test-threads 1 kernel json_ unicode scan:: minhash outline
    done
    exit
fi
cover="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
export RUSTFLAGS="--cfg fuzzing $cover -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
nice -n 19 cargo build -j1 --release --target "$host" --bin "$1"
mkdir -p "found/$1"
log=found/$1.log
nice -n 19 "target/$host/release/$1" -print_final_stats=1 -max_len=4096 -artifact_prefix="found/$1/" "found/$1" "corpus/$1" >"$log" 2>&1 &
fuzzer=$!
trap 'kill "$fuzzer"' INT TERM HUP

# Seconds of processor time of the fuzzer so far; the last that was seen when it is gone. The format of `ps`: [days-][hours:]minutes:seconds
spent=0
measure() {
    now=$(ps -o time= -p "$fuzzer" | awk -F'[-:]' 'NF { for (s = i = 0; i++ < NF;) s = s * (NF - i == 2 && NF == 4 ? 24 : 60) + $i; printf "%d", s }')
    spent=${now:-$spent}
}

# Asked by SIGUSR1, it stops after the input at hand, prints its figures and counts as a success. A limit set by `ulimit -t`
# would kill it without a word.
asked=
while measure && kill -0 "$fuzzer" 2>/dev/null; do
    if [ -z "$asked" ] && [ "$spent" -ge "$2" ]; then
        asked=1
        kill -USR1 "$fuzzer"
    fi
    sleep 1
done
status=0
wait "$fuzzer" || status=$?
[ "$status" = 0 ] || tail -n 60 "$log"
executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
coverage=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
echo "$1: ${executions:-?} executions in $spent s of processor time, $coverage edges, exit code $status"
exit "$status"
