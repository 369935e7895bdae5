//! An engine with a blocking API, and how it is put into the world: `cargo run -p helios-sim --example blocking_engine`.
//!
//! The engine knows nothing of the simulator. It reaches its file through a trait of its own, whose methods block, and
//! its destructor does I/O. `SimulatedFile` is all that stands between: it waits through `Blocking`.

use std::io;
use std::sync::Arc;

use helios_env::{Buf, Env, File, OpenOptions, SyncMode, read_full, write_full};
use helios_sim::{Blocking, Explore, FaultKind, Faults, Ledger, Stop, Violation, World, explore};

// ---- the engine: a register of a thousand bytes, in one slot or two -------------------------------------------------

trait Backend {
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
}

const RECORD: usize = 1_024;

struct Register<B: Backend> {
    backend: B,
    slots: u64,
    sequence: u64,
    value: u8,
}

impl<B: Backend> Register<B> {
    fn open(backend: B, slots: u64) -> io::Result<Register<B>> {
        let mut register = Register { backend, slots, sequence: 0, value: 0 };
        for slot in 0..slots {
            let mut record = [0; RECORD];
            register.backend.read(slot * RECORD as u64, &mut record)?;
            let sequence = u64::from_le_bytes(record[..8].try_into().expect("eight bytes"));
            if record[8..].iter().all(|byte| *byte == record[8]) && sequence > register.sequence {
                (register.sequence, register.value) = (sequence, record[8]);
            }
        }
        Ok(register)
    }

    fn set(&mut self, value: u8) -> io::Result<()> {
        self.sequence += 1;
        let mut record = [value; RECORD];
        record[..8].copy_from_slice(&self.sequence.to_le_bytes());
        self.backend.write(self.sequence % self.slots * RECORD as u64, &record)?;
        self.backend.sync()?;
        self.value = value;
        Ok(())
    }
}

impl<B: Backend> Drop for Register<B> {
    fn drop(&mut self) {
        let _ = self.backend.sync();
    }
}

// ---- the adapter ----------------------------------------------------------------------------------------------------

struct SimulatedFile(Arc<Blocking>, Arc<dyn File>);

impl Backend for SimulatedFile {
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let read = self.0.wait(read_full(&*self.1, offset, Buf::zeroed(out.len())))?;
        let moved = read.result.map_err(io::Error::other)?;
        out[..moved].copy_from_slice(&read.buf[..moved]);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.wait(write_full(&*self.1, offset, Buf::from(data)))?.0.map_err(io::Error::other)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.wait(self.1.sync(SyncMode::Data))?.map_err(io::Error::other)
    }
}

fn open(world: &Arc<Blocking>, slots: u64) -> io::Result<Register<SimulatedFile>> {
    let disk = &world.env().disk;
    let options = OpenOptions { write: true, create: true, ..OpenOptions::default() };
    let file = world.wait(disk.open("register", options))?.map_err(io::Error::other)?;
    world.wait(disk.sync_dir(""))?.map_err(io::Error::other)?;
    Register::open(SimulatedFile(world.clone(), file), slots)
}

// ---- the tests ------------------------------------------------------------------------------------------------------

fn judge(found: u8, acknowledged: u8) -> Result<(), Violation> {
    if found == acknowledged || found == acknowledged + 1 {
        return Ok(());
    }
    Err(Violation::new(format!("acknowledged {acknowledged}, found {found}")))
}

/// Every crash point of three calls.
fn crash_everywhere(slots: u64) {
    let script = |env: Env, acknowledged: Ledger<u8>| async move {
        let mut register = open(&Arc::new(Blocking::new(env)), slots)?;
        for value in 1..=3 {
            register.set(value)?;
            acknowledged.update(|newest| *newest = value);
        }
        Ok::<(), Violation>(())
    };
    let check = |env: Env, acknowledged: Ledger<u8>| async move {
        judge(open(&Arc::new(Blocking::new(env)), slots)?.value, *acknowledged.get())
    };
    let explored = explore(&Explore::default(), 0, script, check);
    println!("{slots} slots: {explored}");
    explored.violations.iter().for_each(|violation| println!("  {violation}"));
}

/// One world, in which the power fails before one change of the disk in twenty: in the middle of a call, usually.
fn live_and_die(seed: u64) {
    let world = World::seeded(seed);
    world.set_faults(Faults::crashes_only().with(FaultKind::PowerCut, 50_000));
    let (mut acknowledged, mut crashes) = (0, 0);
    while acknowledged < 100 {
        let blocking = Arc::new(Blocking::new(world.env()));
        let end = world.run_sync(|| -> io::Result<u8> {
            let mut register = open(&blocking, 2)?;
            judge(register.value, acknowledged).expect("two slots survive");
            acknowledged = register.value;
            while acknowledged < 100 {
                register.set(acknowledged + 1)?;
                acknowledged += 1;
            }
            Ok(acknowledged)
        });
        match end {
            Ok(end) => println!("{} sets, {crashes} crashes", end.expect("nothing fails but the power")),
            Err(Stop::Crashed(_)) => crashes += 1,
            Err(stop) => panic!("{stop}"),
        }
    }
}

fn main() {
    crash_everywhere(1);
    crash_everywhere(2);
    live_and_die(7);
}
