#!/bin/sh
# Runs the job on the rows of given.sql and lets expected.sql judge what it wrote. Owned by the team.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PORT_INPUT_FLIGHTS="$folder/flights.parquet" PORT_INPUT_AIRLINES="$folder/airlines.parquet"
export OUTPUT="$folder/output.parquet"

for step in tests/given.sql punctuality.sql tests/expected.sql; do
    uv run --no-sync duckdb -no-init -bail -batch -f "$step"
done
echo "as expected"
