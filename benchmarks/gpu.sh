#!/usr/bin/env bash
# What one GPU has to say, in under 8 minutes: bash benchmarks/gpu.sh TITLES OUT
# Tests on the GPU, our step against a plain one and the dense rate, and all recipes with three seeds at `mainrun`.
# A part that fails or takes too long ends no other; a comparison that was cut off goes on when the script is run again.
# SIZE=tiny tries the script itself on a CPU.
set -uo pipefail
titles=$(realpath -e "${1:?the file of titles}") || exit 2
out=$(realpath -m "${2:?the folder for what is measured}")
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3} preset=mainrun device=cuda rounds=20 failed=() settings=() resume=()
tests=(tests/mainrun/test_devices.py tests/mainrun/test_cuda.py)
if [ "${SIZE:-}" = tiny ]; then
  preset=quick device=cpu rounds=1 tests=(tests/mainrun/test_devices.py)
  for setting in num_titles=400 vocab_size=320 n_layer=1 n_head=2 d_model=16 block_size=16 batch_size=8; do
    settings+=(--set "$setting")
  done
fi
mkdir -p "$out" || exit 6

part() {  # NAME LIMIT_S COMMAND…: what it says goes to OUT/NAME.txt and .err
  local name=$1 limit_s=$2 began=$SECONDS code
  shift 2
  timeout --signal=INT --kill-after=20 "$limit_s" "$@" >"$out/$name.txt" 2>"$out/$name.err"
  code=$?
  echo "$name: exit code $code, $((SECONDS - began)) s"
  [ "$code" = 6 ] && [ -e "$out/comparison/report.html" ] && code=0  # all but the PDF, whose library may not be here
  [ "$code" = 0 ] || failed+=("$name")
}

part tests 60 "$python" -m pytest -q -p no:cacheprovider "${tests[@]}"
for recipe in baseline optimized; do
  part "step-$recipe" 45 "$python" -m benchmarks.train_step \
    --preset "$preset" --recipe "$recipe" --device "$device" --rounds "$rounds"
done
[ -e "$out/comparison/plan.json" ] && resume=(--resume)
part compare 315 "$python" -m harness compare baseline optimized frontier --preset "$preset" --seeds 1337+2 \
  --data "$titles" --device "$device" --out "$out/comparison" "${resume[@]}" "${settings[@]}"

cat "$out"/step-*.txt "$out/compare.txt"
[ "${#failed[@]}" = 0 ] || { echo "not well: ${failed[*]}, see $out" >&2; exit 1; }
