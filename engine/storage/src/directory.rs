//! The data directory: whose it is, and what may lie in it.
//!
//! ```text
//!   FORMAT      whose directory this is: format version and the database's identity, in text, written first
//!   LOCK        held while a process has the directory open
//!   manifest/   0000000000000007.manifest
//!   wal/        0000000000000003.wal ...
//!   sst/        00000000000000a7.sst ...
//! ```
//!
//! A directory without FORMAT becomes a database only if there is nothing in it. One with FORMAT but no manifest is a
//! creation that was interrupted, and is completed, provided that there is no log and no table either. In `manifest/`,
//! `wal/` and `sst/` a name that this program never writes is refused; beside them, other files are none of our business.

use helios_env::sync::Arc;
use helios_env::{Buf, Env, ErrorKind, FileLock, OpenOptions, SyncMode, write_full};

use crate::checksum::checksum;
use crate::io::ReadRange;
use crate::log::{LOG_DIRECTORY, SegmentName};
use crate::manifest::{MANIFEST_DIRECTORY, ManifestName};
use crate::{Error, Result};

/// Format version of the directory as a whole.
pub(crate) const DIRECTORY_FORMAT: u32 = 1;
const FORMAT: &str = "FORMAT";
const FORMAT_UNFINISHED: &str = "FORMAT.new";
const LOCK: &str = "LOCK";
const FIRST_LINE: &str = "HeliosDB data directory";
/// Where SSTables are.
pub(crate) const TABLE_DIRECTORY: &str = "sst";

/// A file's number from the stem of its name: sixteen lower-case hexadecimal digits.
pub(crate) fn parse_number(stem: &str) -> Option<u64> {
    let digits = stem.len() == 16 && stem.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u64::from_str_radix(stem, 16).ok() } else { None }
}

/// The number of an SSTable from its name.
pub(crate) fn parse_table_name(name: &str) -> Option<u64> {
    parse_number(name.strip_suffix(".sst")?)
}

/// Holds the directory for this process. Whatever may write to it keeps a reference.
pub(crate) struct DirectoryLock(#[expect(dead_code, reason = "held for its Drop")] Box<dyn FileLock>);

/// Takes the directory for this process.
pub(crate) async fn lock(env: &Env) -> Result<Arc<DirectoryLock>> {
    match env.disk.lock(LOCK).await {
        Ok(lock) => Ok(Arc::new(DirectoryLock(lock))),
        Err(error) if error.kind() == ErrorKind::Locked => Err(Error::Locked { directory: env.disk.describe().into() }),
        Err(error) => Err(Error::Io(error)),
    }
}

/// The database's identity; `None` for a directory that holds nothing yet.
pub(crate) async fn identify(env: &Env) -> Result<Option<u128>> {
    let names = env.disk.list("").await?;
    if names.iter().any(|name| name == FORMAT) {
        let file = env.disk.open(FORMAT, OpenOptions::read()).await?;
        let len = file.len().await?.min(4096) as usize;
        let text = ReadRange::new(file, 0, len, false).await.map_err(|error| error.at(FORMAT))?;
        return parse_format(&text).map(Some);
    }
    match names.iter().find(|name| !matches!(name.as_str(), LOCK | FORMAT_UNFINISHED | "lost+found")) {
        None => Ok(None),
        Some(name) => Err(Error::Foreign {
            path: name.as_str().into(),
            what: "the directory is not empty and has no FORMAT file, so no database is created in it".into(),
        }),
    }
}

fn format_text(database: u128) -> String {
    let body = format!("{FIRST_LINE}\nformat: {DIRECTORY_FORMAT}\ndatabase: {database:032x}\n");
    format!("{body}checksum: {:016x}\n", checksum(body.as_bytes()))
}

fn parse_format(text: &[u8]) -> Result<u128> {
    let foreign = || Error::Foreign { path: FORMAT.into(), what: "this is not HeliosDB's FORMAT file".into() };
    let text = std::str::from_utf8(text).map_err(|_| foreign())?;
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Err(foreign());
    }
    let mut value = |key: &str| lines.next().and_then(|line| line.strip_prefix(key)).map(str::to_owned);
    let format = value("format: ").and_then(|format| format.parse::<u32>().ok()).ok_or_else(foreign)?;
    if format != DIRECTORY_FORMAT {
        return Err(Error::UnsupportedFormat { file: FORMAT.into(), found: format, supported: DIRECTORY_FORMAT });
    }
    let database = value("database: ").and_then(|database| u128::from_str_radix(&database, 16).ok());
    match database {
        Some(database) if format_text(database) == text => Ok(database),
        _ => Err(Error::corruption(FORMAT, 0, "the FORMAT file is damaged")),
    }
}

/// Makes the directory that of a new database.
pub(crate) async fn claim(env: &Env, database: u128) -> Result<()> {
    match env.disk.remove(FORMAT_UNFINISHED).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => (),
    }
    let file = env.disk.open(FORMAT_UNFINISHED, OpenOptions::create_new()).await?;
    let (written, _) = write_full(&*file, 0, Buf::from(format_text(database).as_bytes())).await;
    written.map_err(|error| error.at(FORMAT_UNFINISHED))?;
    file.sync(SyncMode::All).await?;
    env.disk.rename(FORMAT_UNFINISHED, FORMAT).await?;
    env.disk.sync_dir("").await?;
    Ok(())
}

/// What the three directories hold.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) manifests: Vec<ManifestName>,
    pub(crate) segments: Vec<SegmentName>,
    pub(crate) tables: Vec<u64>,
}

/// Creates what is missing of the three directories, and makes durable what they hold: after a kill a name may be there
/// that the disk does not know yet, and what follows relies on it.
pub(crate) async fn settle(env: &Env) -> Result<()> {
    env.disk.sync_dir("").await?;
    for directory in [MANIFEST_DIRECTORY, LOG_DIRECTORY, TABLE_DIRECTORY] {
        env.disk.create_dir(directory).await?;
    }
    env.disk.sync_dir("").await?;
    for directory in [MANIFEST_DIRECTORY, LOG_DIRECTORY, TABLE_DIRECTORY] {
        env.disk.sync_dir(directory).await?;
    }
    Ok(())
}

/// Lists the three directories.
pub(crate) async fn list(env: &Env) -> Result<Listing> {
    Ok(Listing {
        manifests: parse_names(env, MANIFEST_DIRECTORY, ManifestName::parse).await?,
        segments: parse_names(env, LOG_DIRECTORY, SegmentName::parse).await?,
        tables: parse_names(env, TABLE_DIRECTORY, parse_table_name).await?,
    })
}

async fn parse_names<T>(env: &Env, directory: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let names = env.disk.list(directory).await?;
    let foreign = |name: &str| Error::Foreign {
        path: format!("{directory}/{name}").into(),
        what: "it has no name that HeliosDB gives to a file here".into(),
    };
    names.iter().map(|name| parse(name).ok_or_else(|| foreign(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_file_is_read_or_refused_by_name() {
        let text = format_text(0xabc);
        assert_eq!(parse_format(text.as_bytes()), Ok(0xabc));
        let newer = text.replace("format: 1", "format: 2");
        let error = Error::UnsupportedFormat { file: "FORMAT".into(), found: 2, supported: 1 };
        assert_eq!(parse_format(newer.as_bytes()), Err(error));
        assert!(matches!(parse_format(b"PG_VERSION\n18\n"), Err(Error::Foreign { .. })));
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 2;
            assert!(parse_format(&damaged).is_err());
            assert!(parse_format(&damaged[..at]).is_err());
        }
    }

    #[test]
    fn only_canonical_numbers_are_numbers() {
        assert_eq!(parse_table_name("00000000000000ff.sst"), Some(255));
        for name in ["00000000000000FF.sst", "ff.sst", "00000000000000ff.sst.bak", "+0000000000000ff.sst"] {
            assert_eq!(parse_table_name(name), None);
        }
    }
}
