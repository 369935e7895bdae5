//! A flipped byte, a truncation or a stranger in each kind of file: a refusal that names the file, or answers that are not
//! affected; never a wrong row, never a panic.

use std::collections::BTreeMap;

use bytes::Bytes;
use helios_env::{Buf, Env, OpenOptions, read_full, write_full};
use helios_storage::{
    CommitTs, Direction, Durability, Entry, Error, KeyRange, Options, Space, Storage, Value, Write, WriteBatch,
};

const SPACE: Space = Space::new(0, 1);

fn options() -> Options {
    Options { background: false, cache_bytes: 0, ..Options::tiny() }
}

fn put(number: u64) -> WriteBatch {
    let write = Write {
        space: SPACE,
        key: Bytes::from(format!("key {number:03}")),
        value: Value::Row(vec![number as u8; 50].into()),
        is_insert: true,
        birth: CommitTs::ZERO,
    };
    WriteBatch { writes: vec![write], ..WriteBatch::default() }
}

async fn rows(storage: &Storage) -> Result<BTreeMap<Bytes, Value>, Error> {
    let mut scan = storage.scan(SPACE, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
    let mut entries = Vec::new();
    while scan.next_rows(64, &mut entries).await? {}
    Ok(entries.into_iter().map(|Entry { key, version }| (key, version.value)).collect())
}

/// A directory with twenty commits in a file, and ten only in the log. It was not closed in order.
async fn directory() -> Env {
    let env = Env::memory().unwrap();
    let (storage, _) = Storage::open(env.clone(), options()).await.unwrap();
    for number in 0..20 {
        storage.commit(put(number), Durability::Sync).await.unwrap();
    }
    storage.flush().await.unwrap();
    for number in 20..30 {
        storage.commit(put(number), Durability::Sync).await.unwrap();
    }
    env
}

async fn files(env: &Env) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for dir in ["", "manifest", "sst", "wal"] {
        for name in env.disk.list(dir).await.unwrap() {
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            let Ok(file) = env.disk.open(&path, OpenOptions::read()).await else { continue };
            let len = file.len().await.unwrap() as usize;
            if path != "LOCK" && !path.ends_with(".new") {
                files.insert(path, read_full(&*file, 0, Buf::zeroed(len)).await.buf.to_vec());
            }
        }
    }
    files
}

/// The same files in a directory of their own.
async fn restore(files: &BTreeMap<String, Vec<u8>>) -> Env {
    let env = Env::memory().unwrap();
    for dir in ["manifest", "sst", "wal"] {
        env.disk.create_dir(dir).await.unwrap();
    }
    for (path, contents) in files {
        let file = env.disk.open(path, OpenOptions::create_new()).await.unwrap();
        write_full(&*file, 0, Buf::from(&contents[..])).await.0.unwrap();
    }
    env
}

/// Opens, reads everything, verifies.
async fn use_it(env: Env) -> Result<(usize, bool), Error> {
    let (storage, _) = Storage::open(env, options()).await?;
    let clean = storage.verify().await.is_clean();
    let found = rows(&storage).await;
    for number in 0..30 {
        let expected = put(number).writes.remove(0);
        match storage.get(SPACE, &expected.key, CommitTs::NEWEST).await {
            Ok(Some(version)) => assert_eq!(version.value, expected.value),
            // Only the very last batch may be taken for a torn write.
            Ok(None) => assert_eq!(number, 29),
            Err(Error::Corruption { .. }) => assert!(!clean),
            Err(error) => panic!("{error}"),
        }
    }
    storage.close().await?;
    Ok((found?.len(), clean))
}

/// A byte that is damaged. If that breaks a promise, this says so: whoever has to know that it was this, and no accident of
/// the test, looks for the line.
struct Damage<'a> {
    at: usize,
    file: &'a str,
}

impl Drop for Damage<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("damage found: byte {} of {}", self.at, self.file);
        }
    }
}

#[test]
fn one_damaged_byte_anywhere() {
    let env = Env::memory().unwrap();
    env.block_on(async {
        let files = files(&directory().await).await;
        assert!(files.len() >= 4, "{:?}", files.keys());
        let (mut refused, mut reported, mut unaffected, mut torn) = (0, 0, 0, 0);
        for (path, contents) in &files {
            let used = contents.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let step = if path == "FORMAT" { 1 } else { 11 };
            for at in (0..used).step_by(step) {
                let mut damaged = files.clone();
                damaged.get_mut(path).unwrap()[at] ^= 1 << (at % 8);
                let restored = restore(&damaged).await;
                let _damage = Damage { at, file: path };
                match use_it(restored).await {
                    Ok((30, true)) => unaffected += 1,
                    // A filter: scans do without.
                    Ok((30, false)) if path.starts_with("sst/") => reported += 1,
                    Ok((29, true)) => {
                        assert!(path.starts_with("wal/"), "a row is lost to byte {at} of {path}");
                        torn += 1;
                    }
                    Ok(other) => panic!("byte {at} of {path}: {other:?}"),
                    Err(Error::Corruption { file, .. }) if path.starts_with("sst/") => {
                        assert_eq!(&*file, path);
                        reported += 1;
                    }
                    Err(Error::Corruption { file, .. } | Error::UnsupportedFormat { file, .. }) => {
                        assert!(*file == **path || path == "FORMAT", "byte {at} of {path} is blamed on {file}");
                        refused += 1;
                    }
                    Err(Error::Foreign { .. }) => refused += 1,
                    Err(error) => panic!("byte {at} of {path}: {error}"),
                }
            }
        }
        println!("{refused} refused, {reported} reported, {unaffected} without effect, {torn} as a torn tail");
        assert!(refused > 100 && reported > 50);
    });
}

#[test]
fn a_missing_or_cut_file_is_named() {
    let env = Env::memory().unwrap();
    env.block_on(async {
        let files = files(&directory().await).await;
        for path in files.keys() {
            let mut without = files.clone();
            without.remove(path);
            let error = use_it(restore(&without).await).await.expect_err(path);
            println!("without {path}: {error}");
            assert!(matches!(error, Error::Corruption { .. } | Error::Foreign { .. }), "{path}: {error}");
            for keep in [0, 100, 4096] {
                let mut cut = files.clone();
                cut.get_mut(path).unwrap().truncate(keep);
                if cut[path] == files[path] {
                    continue;
                }
                match use_it(restore(&cut).await).await {
                    Err(Error::Corruption { .. } | Error::Foreign { .. }) => (),
                    other => panic!("{path} cut to {keep} bytes: {other:?}"),
                }
            }
        }
    });
}

#[test]
fn strangers_are_refused_by_name() {
    let env = Env::memory().unwrap();
    env.block_on(async {
        let files = files(&directory().await).await;
        for stranger in ["wal/notes.txt", "sst/17.sst", "manifest/CURRENT"] {
            let mut more = files.clone();
            more.insert(stranger.into(), b"hello".to_vec());
            match use_it(restore(&more).await).await {
                Err(Error::Foreign { path, .. }) => assert_eq!(&*path, stranger),
                other => panic!("{stranger}: {other:?}"),
            }
        }
        let mut other = BTreeMap::new();
        other.insert("PG_VERSION".to_owned(), b"18\n".to_vec());
        assert!(matches!(use_it(restore(&other).await).await, Err(Error::Foreign { .. })));
        let mut newer = files.clone();
        let format = String::from_utf8(newer["FORMAT"].clone()).unwrap().replace("format: 1", "format: 2");
        newer.insert("FORMAT".into(), format.into_bytes());
        assert!(matches!(use_it(restore(&newer).await).await, Err(Error::UnsupportedFormat { found: 2, .. })));
    });
}

#[test]
fn a_second_process_is_told_who_is_in_the_way() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        let (storage, _) = Storage::open(env.clone(), options()).await.unwrap();
        assert!(matches!(Storage::open(env.clone(), options()).await, Err(Error::Locked { .. })));
        storage.close().await.unwrap();
        let (again, _) = Storage::open(env, options()).await.unwrap();
        again.close().await.unwrap();
    });
}
