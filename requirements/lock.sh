#!/bin/sh
# Resolve every requirements set once, for all platforms and every Python from 3.11, so that the sets agree with each other.
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version "${python:-3.11}" --fork-strategy fewest --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"; }
compile requirements/dev.in -o requirements/dev.txt
compile requirements/sam.in -o requirements/sam.txt
compile requirements/uv.in -o requirements/uv.txt
compile requirements/rie.in -o requirements/rie.txt
for name in local data bench boto3; do
    compile "requirements/$name.in" -c requirements/dev.txt -o "requirements/$name.txt"
done
compile tests/benchmarks/naive/requirements.in -c requirements/dev.txt -o tests/benchmarks/naive/requirements.txt
for name in predict feedback admin console retrain; do
    compile "functions/$name/requirements.in" -c requirements/dev.txt -o "functions/$name/requirements.txt"
done
python=3.13 compile requirements/localstack.in -o requirements/localstack.txt  # it runs on that one alone
