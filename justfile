# Every recurring command by name. `just` lists them.

_default:
    @just --list

# Start the reference PostgreSQL 18 and print its URI.
pg-up:
    @sqllogic/reference/pg up

# Stop the reference PostgreSQL 18.
pg-down:
    @sqllogic/reference/pg down

# Renew the catalog facts from the reference PostgreSQL 18.
catalog-facts:
    @engine/catalog/facts/generate "$(sqllogic/reference/pg up)"

# The gate: everything that must hold.
ci:
    @.ci/run

# All tests.
test:
    cargo test --workspace

# Format, then lint.
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings
