//! A data directory, and what may happen to its files.
//!
//! The directory is made once: twenty commits in a file, ten only in the log, not closed in order. An input damages one
//! kind of its files and opens it, in a world of its own. The checksums must notice: an error, or the right rows.
//!
//! Damage is by masks and moves, never by literal bytes: a fuzzer sees the checksums that are compared, and would put
//! the right one in. What such a forgery can do is the business of the second half: it takes the bodies behind the checksums
//! out of the files, damages them, and hands them to their decoders.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use helios_sim::{Choices, CrashKind, DiskImage, Timing, World, WorldConfig};
use helios_storage::{
    CommitTs, Direction, Durability, Entry, Error, KeyRange, Options, Space, Storage, Value, Write, WriteBatch,
};

/// Rows that are in a file.
pub const FLUSHED: u64 = 20;
/// All rows.
pub const ROWS: u64 = 30;
const SPACE: Space = Space::new(0, 1);

type Files = BTreeMap<String, Vec<u8>>;

/// What happens to some bytes.
#[derive(Arbitrary, Debug)]
pub struct Damage {
    changes: Vec<Change>,
    /// Where they are cut.
    cut: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Change {
    /// Bits of a byte flip; the position counts from the end if `back`.
    Flip { at: u16, back: bool, mask: u8 },
    /// Zeros.
    Wipe { at: u16, len: u8 },
    /// Bytes that were written elsewhere, or twice.
    Copy { from: u16, to: u16, len: u16 },
    /// Bytes that are gone; the rest moves up.
    Lose { at: u16, len: u8 },
    /// More bytes, all alike.
    Grow { at: u16, len: u8, byte: u8 },
}

impl Damage {
    /// The damaged bytes. Positions are taken modulo the length, so that every change changes something.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        for change in &self.changes {
            let len = bytes.len();
            if len == 0 {
                break;
            }
            let place = |at: u16| usize::from(at) % len;
            match *change {
                Change::Flip { at, back, mask } => {
                    let at = if back { len - 1 - place(at) } else { place(at) };
                    bytes[at] ^= mask;
                }
                Change::Wipe { at, len: wiped } => {
                    let end = (place(at) + usize::from(wiped)).min(len);
                    bytes[place(at)..end].fill(0);
                }
                Change::Copy { from, to, len: copied } => {
                    let (from, to) = (place(from), place(to));
                    let copied = usize::from(copied).min(len - from).min(len - to);
                    bytes.copy_within(from..from + copied, to);
                }
                Change::Lose { at, len: lost } => {
                    let end = (place(at) + usize::from(lost)).min(len);
                    bytes.drain(place(at)..end);
                }
                Change::Grow { at, len: more, byte } => {
                    let more = vec![byte; usize::from(more)];
                    bytes.splice(place(at)..place(at), more);
                }
            }
        }
        if let Some(cut) = self.cut {
            bytes.truncate(usize::from(cut));
        }
    }
}

/// An input of the three targets.
#[derive(Arbitrary, Debug)]
pub enum Attack {
    /// The `which`-th file of the kind is damaged.
    Damaged { which: u8, damage: Damage },
    /// The `which`-th file of the kind is another one altogether.
    Replaced { which: u8, contents: Vec<u8> },
    /// The `which`-th body behind a checksum is damaged. `key` is looked for in it.
    Forged { which: u8, damage: Damage, key: Vec<u8> },
    /// A body that was never one.
    Body { kind: u8, body: Vec<u8>, key: Vec<u8> },
}

fn options() -> Options {
    Options { background: false, cache_bytes: 0, compress: false, ..Options::tiny() }
}

fn world(image: DiskImage) -> World {
    World::new(WorldConfig { timing: Timing::Immediate, image, ..WorldConfig::new(Choices::seeded(1)) })
}

fn row(number: u64) -> Write {
    Write {
        space: SPACE,
        key: Bytes::from(format!("key {number:03}")),
        value: Value::Row(vec![number as u8; 50].into()),
        is_insert: true,
        birth: CommitTs::ZERO,
    }
}

async fn fill(storage: &Storage, numbers: std::ops::Range<u64>) -> Result<(), Error> {
    for number in numbers {
        let batch = WriteBatch { writes: vec![row(number)], ..WriteBatch::default() };
        storage.commit(batch, Durability::Sync).await?;
    }
    Ok(())
}

/// The files of the directory.
pub fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let world = world(DiskImage::empty());
        let env = world.env();
        let filled = world.run(async {
            let (storage, _) = Storage::open(env, options()).await?;
            fill(&storage, 0..FLUSHED).await?;
            storage.flush().await?;
            fill(&storage, FLUSHED..ROWS).await
        });
        filled.expect("nothing crashes unasked").expect("a whole disk takes some rows");
        world.crash(CrashKind::Process);
        let kept = |path: &str| path != "LOCK" && !path.ends_with(".new");
        world.disk().image().files().into_iter().filter(|(path, _)| kept(path)).collect()
    })
}

/// Opens the directory after `attack` on a file below `folder`, and reads all of it: how many rows there are, the right
/// ones and the first ones; or the error. Forged bodies are not its business.
///
/// # Panics
///
/// When a row is wrong, or another one is missing than the last.
pub fn rows_after(folder: &str, attack: &Attack) -> Option<Result<u64, Error>> {
    let mut files = files().clone();
    let paths: Vec<String> = files.keys().filter(|path| path.starts_with(folder)).cloned().collect();
    assert!(!paths.is_empty(), "there is a file in {folder}");
    let path = |which: u8| &paths[usize::from(which) % paths.len()];
    match attack {
        Attack::Damaged { which, damage } => {
            damage.apply(files.get_mut(path(*which)).expect("one of the files"));
        }
        Attack::Replaced { which, contents } => {
            files.insert(path(*which).clone(), contents.clone());
        }
        Attack::Forged { .. } | Attack::Body { .. } => return None,
    }
    let image = DiskImage::with_files(files.iter().map(|(path, contents)| (path.as_str(), contents.as_slice())));
    let world = world(image);
    let env = world.env();
    let read = world.run(async {
        let (storage, _) = Storage::open(env, options()).await?;
        let rows = read_all(&storage).await;
        let report = storage.verify().await;
        assert!(rows.is_ok() || !report.is_clean(), "{rows:?}, and yet verify finds nothing");
        storage.close().await?;
        rows
    });
    Some(read.expect("nothing crashes unasked"))
}

/// Rows by scan, each one checked, and again one by one.
async fn read_all(storage: &Storage) -> Result<u64, Error> {
    let mut scan = storage.scan(SPACE, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
    let mut entries = Vec::new();
    let mut found = loop {
        match scan.next_rows(64, &mut entries).await {
            Ok(true) => (),
            Ok(false) => break Ok(entries.len() as u64),
            Err(error) => break Err(error),
        }
    };
    for (number, Entry { key, version }) in (0..).zip(&entries) {
        let expected = row(number);
        assert_eq!((key, &version.value), (&expected.key, &expected.value), "row {number}");
    }
    for number in 0..ROWS {
        let expected = row(number);
        match storage.get(SPACE, &expected.key, CommitTs::NEWEST).await {
            Ok(Some(version)) => assert_eq!(version.value, expected.value, "row {number}"),
            Ok(None) => assert!(found.as_ref().is_ok_and(|&rows| rows <= number), "row {number} of {found:?}"),
            Err(error) => found = found.and(Err(error)),
        }
    }
    found
}
