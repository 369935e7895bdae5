//! What one operation costs, in microseconds, on each backend: `cargo run --release -p helios-env --example latency
//! [DIRECTORY]`.
//!
//! "here" is a thread in `block_on`, which performs its own operation. "away" is a task, whose operations go through
//! the file pool or the ring, and whose end wakes the thread that waits: what a foreign runtime pays. Durable writes
//! overwrite a file that is allocated and written, as a recycled log segment is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use helios_env::{Buf, Env, File, OpenOptions, Result, SyncMode, pending, write_full};

const BLOCK: usize = 4096;
const BLOCKS: u64 = 1024;
const ROUNDS: u64 = 2000;

#[derive(Clone, Copy)]
enum Operation {
    Read,
    Write,
    WriteAndSync,
}

async fn measure(file: Arc<dyn File>, operation: Operation) -> Result<Vec<Duration>> {
    let mut buf = Buf::zeroed(BLOCK);
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let offset = round * 7 % BLOCKS * BLOCK as u64;
        let start = Instant::now();
        let io = match operation {
            Operation::Read => file.read_at(offset, buf).await,
            Operation::Write => file.write_at(offset, buf).await,
            Operation::WriteAndSync => file.write_at_and_sync(offset, buf).await,
        };
        took.push(start.elapsed());
        io.result?;
        buf = io.buf;
    }
    Ok(took)
}

async fn prepare(env: &Env, direct: bool) -> Result<Arc<dyn File>> {
    let file = env.disk.open(&format!("latency-{direct}"), OpenOptions::create_new().direct(direct)).await?;
    let (written, _) = write_full(&*file, 0, Buf::zeroed(BLOCKS as usize * BLOCK)).await;
    written?;
    file.sync(SyncMode::All).await?;
    Ok(file)
}

fn report(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let micros = |per_mille: usize| took[(took.len() - 1) * per_mille / 1000].as_secs_f64() * 1e6;
    println!("  {what:<44} {:>9.1} {:>9.1} {:>9.1}", micros(500), micros(990), micros(1000));
}

fn run(name: &str, env: &Env) -> Result<()> {
    println!("{name:<46} {:>9} {:>9} {:>9}", "median", "99%", "worst");
    for direct in [false, true] {
        let file = env.block_on(prepare(env, direct))?;
        let kind = if direct { "direct" } else { "cached" };
        for (operation, called) in [
            (Operation::Read, "read 4 KiB"),
            (Operation::Write, "write 4 KiB"),
            (Operation::WriteAndSync, "write and sync 4 KiB"),
        ] {
            report(&format!("{called}, {kind}, here"), env.block_on(measure(file.clone(), operation))?);
            let (completer, result) = pending();
            let file = file.clone();
            drop(env.spawn("measure", async move {
                completer.complete(measure(file, operation).await);
            }));
            report(&format!("{called}, {kind}, away"), env.block_on(result)?);
        }
        env.block_on(env.disk.remove(&format!("latency-{direct}")))?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from).join("helios-latency");
    run("portable", &Env::portable(&directory)?)?;
    match Env::io_uring(&directory) {
        Ok(env) => run("io_uring", &env)?,
        Err(error) => println!("io_uring: {error}"),
    }
    Ok(())
}
