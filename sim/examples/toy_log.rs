//! A storage engine of twenty lines, its bug, and how the simulator finds it.
//!
//! The engine is a log of numbers. It acknowledges a number before it has synced it, which no ordinary test can
//! notice: `cargo run -p helios-sim --example toy_log`.

use helios_env::{Buf, Env, OpenOptions, Result, SyncMode, read_full, write_full};
use helios_sim::{DeviceProfile, Explore, Explored, Ledger, Violation, explore};

/// Reads the log: numbers, each followed by its complement, up to the first that is torn.
async fn recover(env: &Env) -> Result<Vec<u32>> {
    let options = OpenOptions { write: true, create: true, ..OpenOptions::default() };
    let file = env.disk.open("log", options).await?;
    let io = read_full(&*file, 0, Buf::zeroed(file.len().await? as usize)).await;
    io.result?;
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let records = io.buf.chunks_exact(8).map(|record| (word(&record[..4]), word(&record[4..])));
    Ok(records.take_while(|(number, check)| *number == !check).map(|(number, _)| number).collect())
}

async fn append(env: &Env, count: usize, number: u32, sync: bool) -> Result<()> {
    let file = env.disk.open("log", OpenOptions { write: true, ..OpenOptions::default() }).await?;
    let record = [number.to_le_bytes(), (!number).to_le_bytes()].concat();
    write_full(&*file, count as u64 * 8, Buf::from(&record[..])).await.0?;
    if sync {
        file.sync(SyncMode::Data).await?;
    }
    Ok(())
}

/// Appends ten numbers, and demands after every crash what was acknowledged.
fn crash_everywhere(sync: bool, profile: DeviceProfile) -> Explored {
    let config = Explore { profile, depth: 3, ..Explore::default() };
    let script = |env: Env, acknowledged: Ledger<Vec<u32>>| async move {
        recover(&env).await?;
        env.disk.sync_dir("").await?;
        for (count, number) in (100..110).enumerate() {
            append(&env, count, number, sync).await?;
            acknowledged.update(|numbers| numbers.push(number));
        }
        Ok(())
    };
    let check = |env: Env, acknowledged: Ledger<Vec<u32>>| async move {
        let (found, expected) = (recover(&env).await?, acknowledged.get());
        if found.starts_with(&expected) && found.len() <= expected.len() + 1 {
            return Ok(());
        }
        Err(Violation::new(format!("acknowledged {expected:?}, recovered {found:?}")))
    };
    explore(&config, Vec::new(), script, check)
}

fn main() {
    for (engine, sync) in [("an engine that forgets to sync", false), ("an engine that syncs", true)] {
        for profile in [DeviceProfile::posix(), DeviceProfile::ignores_sync()] {
            println!("{engine}, on a disk of profile \"{}\":", profile.name);
            let explored = crash_everywhere(sync, profile);
            println!("  {explored}, in {:?}", explored.elapsed);
            explored.violations.iter().for_each(|violation| println!("  {violation}"));
        }
    }
}
