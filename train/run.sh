#!/usr/bin/env bash
# From sentence pairs to a scored checkpoint, all stages in order. Stopped, it goes on where it was when called again.
#
#   train/run.sh RUN [DATA [TEST.tsv ...]]
#
# RUN   directory for everything that is made; every epoch keeps its weights, in float32
# DATA  directory of English-Malay TSV files, or a Hub data set; without it, opus-100
# TEST  evaluation sets: kept out of training, and scored at the end
# FIT   (environment) options for train.fit, e.g. FIT="--preset base --epochs 20"
# LAUNCH (environment) what starts train.fit, e.g. LAUNCH="torchrun --nproc-per-node=8 -m"
# MONO  (environment) Malay, a sentence a line: translated by a reversed model, trained first with the options in
#       FIT_REVERSE, and added to the pairs (train.synthesize); FIT="--weight tiersynthetic=0.3" takes less of it
set -euo pipefail
run=$1 data=${2:-Helsinki-NLP/opus-100:en-ms} tests=("${@:3}")

# Two settings without which a CPU is a good deal slower: freed memory is kept, in large pages, for the next step to
# use, and so is the code that oneDNN generates for every shape of matrix product.
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=20000000000:glibc.malloc.top_pad=268435456}
export ONEDNN_PRIMITIVE_CACHE_CAPACITY=${ONEDNN_PRIMITIVE_CACHE_CAPACITY:-16384}

# prepare RUN DATA... [--reverse]: the packed pairs
prepare() {
  [ -f "$1/packed/validation/sources.json" ] && return
  python -m train.corpus "${@:2}" --out "$1/corpus" ${tests:+--exclude "${tests[@]}"}
  python -m train.vocabulary "$1/corpus" --out "$1/packed" --size 8192
}

# fit RUN [OPTION...]: the model
fit() {
  local resume=()
  if compgen -G "$1/fit/checkpoints/step-*" > /dev/null; then resume=(--resume); fi
  ${LAUNCH:-python -m} train.fit "$1/packed" --out "$1/fit" "${resume[@]}" "${@:2}"
}

pairs=("$data")
if [ -n "${MONO:-}" ]; then
  [ -f "$run/synthetic/back.tsv.gz" ] || {
    prepare "$run/reverse" "$data" --reverse
    # shellcheck disable=SC2086 # FIT_REVERSE is several words
    fit "$run/reverse" ${FIT_REVERSE:-}
    checkpoints=("$run"/reverse/fit/checkpoints/step-*)
    python -m train.synthesize "${checkpoints[-1]}" "$MONO" --out "$run/synthetic/back.tsv.gz"
  }
  pairs+=("$run/synthetic")
fi
prepare "$run" "${pairs[@]}"
[ -f "$run/packed/shortlist.safetensors" ] || python -m train.shortlist "$run/packed"
# shellcheck disable=SC2086 # FIT is several words
fit "$run" ${FIT:-}
python -m train.timeline "$run/fit"
python -m train.publish "$run/fit" --out "$run/bundle" ${tests:+--test "${tests[@]}"}
echo "Try it: python app.py --checkpoint $run/bundle"
