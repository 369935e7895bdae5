//! HeliosDB's own storage floor, at the level of the others: an ordered map of bytes with atomic, durable commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use helios_sim::{Blocking, Class, FaultKind};
use helios_storage::{CommitTs, Direction, Durability, KeyRange, Options, Space, Storage, Value, WriteBatch};

use crate::engine::{Engine, EngineError, Lasting, Promise, Result, Store, Write};

const ROWS: Space = Space::new(0, 1);

/// See the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct HeliosStorage;

/// Log segments and memtables so small that they turn over within a life.
fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        memtable_bytes: 32 << 10,
        log_bytes_before_flush: 256 << 10,
        table_bytes: 16 << 10,
        level1_bytes: 64 << 10,
        ..Options::tiny()
    }
}

impl Engine for HeliosStorage {
    fn name(&self) -> &'static str {
        "HeliosDB storage"
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn durability(&self) -> &'static str {
        "Durability::Sync (and some Durability::Async)"
    }

    fn promise(&self, kind: FaultKind) -> Promise {
        match kind.class() {
            // A commit that the disk acknowledged and never made leaves no trace that could be checked.
            _ if kind == FaultKind::StaleRead => {
                Promise::NotMade("a lying disk is caught by an oracle, not by the engine")
            }
            _ if kind.is_of_network() || [FaultKind::MemoryLimit, FaultKind::Cancellation].contains(&kind) => {
                Promise::NotMade("nothing of the kind reaches it: one caller in one process")
            }
            Class::Recoverable => Promise::Made("helios_storage, Failures; the simulator's class"),
            Class::FatalUntilReopened => {
                Promise::Made("helios_storage, Failures: Error::Poisoned until it is reopened")
            }
            Class::Detectable => Promise::Made("helios_storage, Failures: Error::Corruption, never a wrong answer"),
        }
    }

    fn lasting(&self, durable: bool) -> Lasting {
        if durable { Lasting::AtOnce } else { Lasting::AfterTheNextThatLasts }
    }

    fn keeps_what_it_shows(&self) -> bool {
        true
    }

    fn refuses_until_reopened(&self, kind: FaultKind) -> bool {
        kind.class() == Class::FatalUntilReopened
    }

    fn open(&self, world: &Arc<Blocking>) -> Result<Box<dyn Store>> {
        let opened = world.wait(Storage::open(world.env().clone(), options())).map_err(EngineError::refused)?;
        let (storage, _report) = opened.map_err(EngineError::refused)?;
        Ok(Box::new(Open { world: world.clone(), storage }))
    }
}

struct Open {
    world: Arc<Blocking>,
    storage: Storage,
}

impl Open {
    fn wait<T: Send>(&self, future: impl Future<Output = helios_storage::Result<T>> + Send) -> Result<T> {
        self.world.wait(future).map_err(EngineError::refused)?.map_err(EngineError::refused)
    }
}

impl Store for Open {
    fn commit(&mut self, writes: &[Write], durable: bool) -> Result<()> {
        let write = |(key, value): &Write| helios_storage::Write {
            space: ROWS,
            key: Bytes::copy_from_slice(&key.to_be_bytes()),
            value: value.as_ref().map_or(Value::Deleted, |value| Value::Row(Bytes::copy_from_slice(value))),
            is_insert: true,
            birth: CommitTs::ZERO,
        };
        let batch = WriteBatch { writes: writes.iter().map(write).collect(), ..WriteBatch::default() };
        let durability = if durable { Durability::Sync } else { Durability::Async };
        self.wait(self.storage.commit(batch, durability)).map(|_| ())
    }

    fn get(&mut self, key: u16) -> Result<Option<Vec<u8>>> {
        let version = self.wait(self.storage.get(ROWS, &key.to_be_bytes(), CommitTs::NEWEST))?;
        Ok(version.and_then(|version| version.value.row().map(|row| row.to_vec())))
    }

    fn scan(&mut self) -> Result<BTreeMap<u16, Vec<u8>>> {
        let mut scan = self.storage.scan(ROWS, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
        let mut entries = Vec::new();
        self.wait(async {
            while scan.next_rows(64, &mut entries).await? {}
            Ok(())
        })?;
        let row = |entry: &helios_storage::Entry| {
            let key = entry.key[..].try_into().map_err(|_| EngineError::refused("a key of another length"))?;
            Ok((u16::from_be_bytes(key), entry.version.value.row().map_or_else(Vec::new, |row| row.to_vec())))
        };
        entries.iter().map(row).collect()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.wait(self.storage.close())
    }
}
