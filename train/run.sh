#!/usr/bin/env bash
# From sentence pairs to a scored checkpoint, all stages in order. Stopped, it goes on where it was when called again.
#
#   train/run.sh RUN [DATA [TEST.tsv ...]]
#
# RUN   directory for everything that is made; every epoch keeps its weights, in float32
# DATA  directory of English-Malay TSV files, or a Hub data set; without it, the default of train.corpus
# TEST  evaluation sets: kept out of training, and scored at the end
# FIT   (environment) options for train.fit, e.g. FIT="--preset base --epochs 20"
set -euo pipefail
run=$1 data=${2:-} tests=("${@:3}")

# Two settings without which a CPU is a good deal slower: freed memory is kept, in large pages, for the next step to
# use, and so is the code that oneDNN generates for every shape of matrix product.
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=20000000000:glibc.malloc.top_pad=268435456}
export ONEDNN_PRIMITIVE_CACHE_CAPACITY=${ONEDNN_PRIMITIVE_CACHE_CAPACITY:-16384}

[ -f "$run/packed/validation/sources.json" ] || {
  python -m train.corpus ${data:+"$data"} --out "$run/corpus" ${tests:+--exclude "${tests[@]}"}
  python -m train.vocabulary "$run/corpus" --out "$run/packed" --size 8192
}
[ -f "$run/packed/shortlist.safetensors" ] || python -m train.shortlist "$run/packed"
resume=()
if compgen -G "$run/fit/checkpoints/step-*" > /dev/null; then resume=(--resume); fi
# shellcheck disable=SC2086 # FIT is several words
python -m train.fit "$run/packed" --out "$run/fit" "${resume[@]}" ${FIT:-}
python -m train.publish "$run/fit" --out "$run/bundle" ${tests:+--test "${tests[@]}"}
echo "Try it: python app.py --checkpoint $run/bundle"
