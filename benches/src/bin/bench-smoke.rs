//! `just bench-smoke`: HeliosDB beside PostgreSQL 18 and SQLite. See [`helios_benches`].

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use helios_benches::contender::{Contender, Embedded, Outcome, Sqlite, Wire};
use helios_benches::machine;
use helios_chaos::process::Binary;
use heliosdb::{Config, Database};
use serde_json::json;

/// The tables; they are the contender's own.
const TABLES: &str = "DROP TABLE IF EXISTS load; DROP TABLE IF EXISTS single;
    CREATE TABLE load (id int PRIMARY KEY, grp int NOT NULL, amount bigint NOT NULL, note text NOT NULL);
    CREATE TABLE single (id int PRIMARY KEY, note text NOT NULL)";
const GROUP_BY: &str = "SELECT grp, count(*), sum(amount) FROM load GROUP BY grp";
/// Operations between two looks at the clock.
const STRIDE: u32 = 16;

/// Small workloads, side by side.
#[derive(Parser)]
struct Arguments {
    /// Rows of the bulk load.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// Turns that everybody takes at each workload; their median counts.
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Length of a turn, where a turn has one.
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    turn_ms: u64,
    /// Where to write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The helios binary; the one beside this program when it is not given.
    #[arg(long)]
    helios: Option<PathBuf>,
}

/// The names of the workloads, their units, and whether more is better.
const WORKLOADS: [(&str, &str); 5] = [
    ("bulk load", "rows/s"),
    ("GROUP BY over it", "rows/s"),
    ("point select", "1/s"),
    ("durable insert, 1 client", "1/s"),
    ("durable insert, 8 clients", "1/s"),
];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let binary = arguments.helios.clone().map_or_else(Binary::beside_this_one, |path| Ok(Binary::at(path)))?;
    let server = binary.serve(&directory.path().join("served")).listening()?;
    let database = Database::open(Config::from(directory.path().join("embedded")))?;
    let uri = |address| format!("postgresql://postgres@{address}/postgres");
    let mut contenders: Vec<Box<dyn Contender + '_>> =
        vec![Box::new(Embedded(database.clone())), Box::new(Wire { name: "helios wire", uri: uri(server.address()) })];
    match std::env::var("HELIOS_REFERENCE_URI") {
        Ok(uri) => contenders.push(Box::new(Wire { name: "PostgreSQL 18", uri: own_database(&uri)? })),
        Err(_) => println!("without PostgreSQL 18: HELIOS_REFERENCE_URI is not set"),
    }
    contenders.push(Box::new(Sqlite(directory.path())));

    let mut figures = vec![vec![Vec::new(); contenders.len()]; WORKLOADS.len()];
    for turn in 1..=arguments.turns {
        eprintln!("turn {turn} of {}", arguments.turns);
        for (workload, figures) in figures.iter_mut().enumerate() {
            for (contender, figures) in contenders.iter().zip(figures) {
                figures.push(measure(workload, contender.as_ref(), arguments)?);
            }
        }
    }
    let names: Vec<_> = contenders.iter().map(|contender| contender.name()).collect();
    let machine = machine::describe(directory.path());
    report(&names, &figures, &machine, arguments)
}

/// One turn at one workload, in its unit.
fn measure(workload: usize, contender: &dyn Contender, arguments: &Arguments) -> Outcome<f64> {
    let turn = Duration::from_millis(arguments.turn_ms);
    let rows = arguments.rows;
    let mut connection = contender.connect()?;
    let timed = |begin: Instant| f64::from(rows) / begin.elapsed().as_secs_f64();
    match workload {
        0 => {
            connection.run(TABLES)?;
            let sql = format!("INSERT INTO load {}", contender.rows(rows));
            let begin = Instant::now();
            connection.run(&sql)?;
            Ok(timed(begin))
        }
        1 => {
            let begin = Instant::now();
            let groups = connection.count_rows(GROUP_BY)?;
            assert_eq!(groups, 1000, "{} has as many groups as the others", contender.name());
            Ok(timed(begin))
        }
        2 => {
            let mut state = 1u64;
            let mut id = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 33) % u64::from(rows)) as i32 + 1
            };
            let begin = Instant::now();
            let mut done = 0;
            while begin.elapsed() < turn {
                connection.point_selects(STRIDE * 16, &mut id)?;
                done += STRIDE * 16;
            }
            Ok(f64::from(done) / begin.elapsed().as_secs_f64())
        }
        3 => inserts(contender, 1, turn),
        _ => inserts(contender, 8, turn),
    }
}

fn inserts(contender: &dyn Contender, clients: usize, turn: Duration) -> Outcome<f64> {
    let mut connections = (0..clients).map(|_| contender.connect()).collect::<Outcome<Vec<_>>>()?;
    let used = connections[0].count_rows("SELECT id FROM single")?;
    let next = AtomicI32::new(used as i32 + 1);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let working: Vec<_> = connections
            .iter_mut()
            .map(|connection| {
                let next = &next;
                scope.spawn(move || -> Outcome<u32> {
                    let mut done = 0;
                    while begin.elapsed() < turn {
                        connection.inserts(STRIDE, &mut || next.fetch_add(1, Ordering::Relaxed))?;
                        done += STRIDE;
                    }
                    Ok(done)
                })
            })
            .collect();
        let mut done = 0;
        for client in working {
            done += client.join().expect("a client does not panic")?;
        }
        Ok(f64::from(done) / begin.elapsed().as_secs_f64())
    })
}

/// A database of our own on the reference server, made anew.
fn own_database(uri: &str) -> Outcome<String> {
    let (server, _) = uri.rsplit_once('/').ok_or("HELIOS_REFERENCE_URI names no database")?;
    let mut client = postgres::Client::connect(uri, postgres::NoTls)?;
    client.batch_execute("DROP DATABASE IF EXISTS helios_benches WITH (FORCE)")?;
    client.batch_execute("CREATE DATABASE helios_benches")?;
    Ok(format!("{server}/helios_benches"))
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn report(
    names: &[&str],
    figures: &[Vec<Vec<f64>>],
    machine: &serde_json::Value,
    arguments: &Arguments,
) -> Outcome<()> {
    println!("machine: {machine}");
    println!("{} rows; median of {} turns, higher is better", arguments.rows, arguments.turns);
    print!("{:34}", "");
    names.iter().for_each(|name| print!("{name:>17}"));
    println!();
    let mut workloads = Vec::new();
    for ((name, unit), figures) in WORKLOADS.iter().zip(figures) {
        print!("{:34}", format!("{name} ({unit})"));
        figures.iter().for_each(|turns| print!("{:>17.0}", median(turns)));
        println!();
        let of = names
            .iter()
            .zip(figures)
            .map(|(name, turns)| json!({ "name": name, "turns": turns, "median": median(turns) }));
        workloads.push(json!({ "workload": name, "unit": unit, "contenders": of.collect::<Vec<_>>() }));
    }
    if let Some(path) = &arguments.json {
        let all = json!({ "machine": machine, "rows": arguments.rows, "workloads": workloads });
        std::fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
        println!("written to {}", path.display());
    }
    Ok(())
}
