# Every recurring command by name. `just` lists them.

# An option with blanks in it, as "SQLite, WAL", stays one.
set positional-arguments

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

# Run the SQL scripts on the engine, embedded and over the wire.
slt:
    cargo run -p helios-sqllogic -- --engine embedded
    cargo run -p helios-sqllogic -- --engine wire

# Run the SQL scripts on the reference PostgreSQL 18: every recorded answer must still be its own.
slt-pg:
    cargo build -p helios-sqllogic
    sqllogic/reference/pg run cargo run -p helios-sqllogic -- --engine postgres

# Run SQLite's sqllogictest sample on the engine, where HELIOS_CORPORA (or ../shared/corpora) has it.
slt-corpora:
    cargo run -p helios-sqllogic -- --sqlite

# Record what psql's commands show of PostgreSQL 18.
psql-record:
    cargo build -p helios-sqllogic --tests
    HELIOS_PSQL_RECORD=1 sqllogic/reference/pg run cargo test -p helios-sqllogic --test psql

# Record the answers of the reference PostgreSQL 18 into scripts (drafts are .sql files, see sqllogic/src/record.rs).
slt-record *FILES:
    cargo build -p helios-sqllogic
    sqllogic/reference/pg run cargo run -p helios-sqllogic --bin record -- "$@"

# kill -9 under load at random moments: nothing acknowledged is lost, nothing is there twice (--rounds N, --seed N).
chaos-kill *OPTIONS:
    cargo build --release -p helios -p helios-chaos
    cargo run --release -p helios-chaos --bin chaos-kill -- "$@"

# pgbench's built-in scripts in every query mode (--scale N, --clients N, --seconds N).
pgbench *OPTIONS:
    cargo build --release -p helios -p helios-chaos
    cargo run --release -p helios-chaos --bin chaos-pgbench -- "$@"

# HeliosDB beside PostgreSQL 18 and SQLite, in one run on this machine (--rows N, --turns N).
bench-smoke *OPTIONS:
    cargo build --release -p helios
    cargo build --release -p helios-benches --features peers
    @mkdir -p reports
    sqllogic/reference/pg run cargo run --release -p helios-benches --features peers --bin bench-smoke -- --json reports/bench-smoke.json "$@"

# criterion's view of a point read and a commit.
bench-micro:
    cargo bench -p helios-benches --features micro

# Fuzz every target for some seconds (10); fuzz/run SECONDS TARGETS... for some of them.
fuzz SECONDS="10":
    @fuzz/run {{SECONDS}}

# What HeliosDB, redb 4.1 and 4.2 and SQLite survive of the same faults (--seeds N, --seconds N, --engine NAME, --json FILE).
engines *OPTIONS:
    @mkdir -p target/redb-4.1
    cargo run --manifest-path sim/engines/redb-4.1/Cargo.toml --target-dir target/redb-4.1 -- --json target/redb-4.1/report.json "$@" >/dev/null
    cargo run -p helios-sim-engines -- --with target/redb-4.1/report.json "$@"

# The simulator must find in redb 4.1 what 4.2 has repaired, and nothing in 4.2.
engines-calibrate:
    cargo test --manifest-path sim/engines/redb-4.1/Cargo.toml --target-dir target/redb-4.1 -- --nocapture
    HELIOS_ENGINES_WHOLE=1 cargo test -p helios-sim-engines --test engines -- --nocapture redb

# Broken engines, each of which the simulator must catch (--only NAME, --draw N); all of them renew reports/mutants.md.
mutants *OPTIONS:
    cargo run -q -p helios-mutants -- --json reports/mutants.json "$@"

# Everything in the simulator in turn, for an hour or --seconds S; what it saw goes to reports/swarm.json.
swarm *OPTIONS:
    @mkdir -p reports
    cargo run --release -- sim swarm --json reports/swarm.json "$@"

# What HeliosDB and other engines survive: reports/crash-safety.{md,html,json} (--seeds N, --engine-seconds S, --only NAME).
report-crash *OPTIONS:
    @mkdir -p reports
    cargo run --release -p helios-crash-report -- "$@"
