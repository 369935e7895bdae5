//! The manifest's file: reading it at open, appending edits, installing a new base.
//!
//! ```text
//!   record:  0 magic u32    8 checksum u64     32 manifest u64   48 version u64    60 body length u32
//!            4 format u32  16 database u128    40 follows u64    56 kind u32       64 body, then zeros
//! ```

use helios_env::sync::Arc;
use helios_env::{Buf, Env, ErrorKind, File, IoError, OpenOptions, SyncMode};

use super::{Edit, MANIFEST_DIRECTORY, MANIFEST_FORMAT, ManifestState};
use crate::checksum::FileIdentity;
use crate::coding::{Reader, Sink};
use crate::io::{ReadRange, write_range};
use crate::{Error, Result};

const MAGIC: u32 = u32::from_le_bytes(*b"HMAN");
const HEADER_LEN: usize = 64;
const CHECKSUM_AT: usize = 8;
const COVERED_FROM: usize = 16;
const BASE: u32 = 1;
const EDIT: u32 = 2;
/// Records begin at multiples of this.
const BLOCK: usize = 4096;

/// A name in the manifest's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManifestName {
    /// A manifest.
    Manifest(u64),
    /// A base that was never installed.
    Unfinished(u64),
}

impl ManifestName {
    /// `None` for a name that this program never writes.
    pub(crate) fn parse(name: &str) -> Option<ManifestName> {
        let (stem, kind) = name.rsplit_once('.')?;
        let number = crate::directory::parse_number(stem)?;
        match kind {
            "manifest" => Some(ManifestName::Manifest(number)),
            "new" => Some(ManifestName::Unfinished(number)),
            _ => None,
        }
    }

    pub(crate) fn path(self) -> String {
        match self {
            ManifestName::Manifest(number) => format!("{MANIFEST_DIRECTORY}/{number:016x}.manifest"),
            ManifestName::Unfinished(number) => format!("{MANIFEST_DIRECTORY}/{number:016x}.new"),
        }
    }
}

/// Why a change was not made.
#[derive(Debug)]
pub(crate) enum EditError {
    /// No space. The change may or may not be seen by a later recovery, and both is right; here it did not happen.
    NoSpace(IoError),
    /// What is durable is unknown.
    Fatal(IoError),
    /// The change does not follow the current version.
    Refused(&'static str),
}

/// The manifest of an open storage.
pub(crate) struct Manifest {
    env: Env,
    direct: bool,
    database: u128,
    number: u64,
    file: Arc<dyn File>,
    /// Where the next edit goes.
    end: u64,
    state: ManifestState,
    edits: usize,
    edits_max: usize,
    /// What the disk may say instead, since an edit failed halfway. The next change is a new base then.
    undecided: Option<ManifestState>,
}

impl Manifest {
    /// What the manifest says now.
    pub(crate) fn state(&self) -> &ManifestState {
        &self.state
    }

    /// Whether a reader of the disk may find this.
    pub(crate) fn may_be_read_as(&self, on_disk: &ManifestState) -> bool {
        self.state == *on_disk || self.undecided.as_ref() == Some(on_disk)
    }

    /// Makes a change durable. `follows` is the version that the caller has seen: compare and set.
    pub(crate) async fn apply(&mut self, follows: u64, edit: &Edit) -> Result<(), EditError> {
        if follows != self.state.version {
            return Err(EditError::Refused("the manifest has changed in the meantime"));
        }
        self.state.check(edit).map_err(EditError::Refused)?;
        let mut state = self.state.clone();
        state.apply(edit);
        if self.undecided.is_some() || self.edits >= self.edits_max {
            self.install_base(state).await
        } else {
            self.append(edit, state).await
        }
    }

    async fn append(&mut self, edit: &Edit, state: ManifestState) -> Result<(), EditError> {
        let identity = FileIdentity { database: self.database, file: self.number };
        let record = encode(identity, self.end, EDIT, self.state.version, state.version, &edit.encode());
        let len = record.len() as u64;
        // The two steps apart: a write that fails for want of space can be mended, a sync cannot.
        let written = write_range(&*self.file, self.end, record, BLOCK, false).await;
        let path = ManifestName::Manifest(self.number).path();
        if let Err(error) = written.result {
            let error = error.at(&path);
            if error.kind() != ErrorKind::NoSpace {
                return Err(EditError::Fatal(error));
            }
            self.undecided = Some(state);
            self.env.sometimes("storage: a manifest edit failed for want of space");
            return Err(EditError::NoSpace(error));
        }
        self.file.sync(SyncMode::Data).await.map_err(|error| EditError::Fatal(error.at(&path)))?;
        self.end += len;
        self.edits += 1;
        self.state = state;
        Ok(())
    }

    async fn install_base(&mut self, state: ManifestState) -> Result<(), EditError> {
        let old = ManifestName::Manifest(self.number).path();
        let number = self.number + 1;
        let (file, end) = write_base(&self.env, self.direct, self.database, number, &state).await?;
        (self.file, self.end, self.number) = (file, end, number);
        self.edits = 0;
        self.undecided = None;
        self.state = state;
        if let Err(error) = self.env.disk.remove(&old).await {
            tracing::warn!(%error, old, "an old manifest stays until the next start");
        }
        Ok(())
    }

    /// Writes `state` as the base number `number`, and goes on behind it.
    pub(crate) async fn create(
        env: &Env,
        direct: bool,
        database: u128,
        number: u64,
        state: ManifestState,
        edits_max: usize,
    ) -> Result<Manifest, EditError> {
        let (file, end) = write_base(env, direct, database, number, &state).await?;
        let env = env.clone();
        Ok(Manifest { env, direct, database, number, file, end, state, edits: 0, edits_max, undecided: None })
    }

    /// What manifest `number` says; also, if the bytes behind its last record are not zero, where they are.
    pub(crate) async fn read(
        env: &Env,
        direct: bool,
        database: u128,
        number: u64,
    ) -> Result<(ManifestState, Option<u64>)> {
        let path = ManifestName::Manifest(number).path();
        let file = env.disk.open(&path, OpenOptions::read().direct(direct)).await.map_err(|error| error.at(&path))?;
        let len = file.len().await.map_err(|error| error.at(&path))?;
        let wanted = (len as usize).next_multiple_of(BLOCK);
        let bytes = ReadRange::new(file, 0, wanted, direct).await.map_err(|error| error.at(&path))?;
        let identity = FileIdentity { database, file: number };
        let Some(base) = find(identity, 0, &bytes)? else {
            return Err(base_error(identity, &path, &bytes));
        };
        let mut state = ManifestState::default();
        let damaged = |at: usize, what: &'static str| Error::corruption(&path, at as u64, what);
        let edit = Edit::decode(base.body).filter(|_| base.kind == BASE).ok_or_else(|| damaged(0, MALFORMED))?;
        state.check(&edit).map_err(|what| damaged(0, what))?;
        state.apply(&edit);
        state.version = base.version;
        let mut at = base.padded_len();
        while let Some(record) = find(identity, at, &bytes)? {
            let edit =
                Edit::decode(record.body).filter(|_| record.kind == EDIT).ok_or_else(|| damaged(at, MALFORMED))?;
            if record.follows != state.version || record.version != state.version + 1 {
                return Err(damaged(at, "an edit does not follow the version before it"));
            }
            state.check(&edit).map_err(|what| damaged(at, what))?;
            state.apply(&edit);
            at += record.padded_len();
        }
        for later in (at..bytes.len()).step_by(BLOCK).skip(1) {
            if find(identity, later, &bytes)?.is_some() {
                return Err(damaged(at, "an edit is damaged, and an intact one follows it"));
            }
        }
        let is_torn = bytes.get(at..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0));
        Ok((state, is_torn.then_some(at as u64)))
    }
}

const MALFORMED: &str = "a manifest record is malformed";

async fn write_base(
    env: &Env,
    direct: bool,
    database: u128,
    number: u64,
    state: &ManifestState,
) -> Result<(Arc<dyn File>, u64), EditError> {
    let (temporary, path) = (ManifestName::Unfinished(number).path(), ManifestName::Manifest(number).path());
    let recoverable = |error: IoError| match error.kind() {
        ErrorKind::NoSpace => EditError::NoSpace(error),
        _ => EditError::Fatal(error),
    };
    // Left behind by an earlier attempt that found no space.
    match env.disk.remove(&temporary).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(EditError::Fatal(error)),
        _ => (),
    }
    let open = OpenOptions::create_new().direct(direct);
    let file = env.disk.open(&temporary, open).await.map_err(|error| recoverable(error.at(&temporary)))?;
    let record = encode(FileIdentity { database, file: number }, 0, BASE, 0, state.version, &state.as_edit().encode());
    let end = record.len() as u64;
    let written = write_range(&*file, 0, record, BLOCK, false).await;
    written.result.map_err(|error| recoverable(error.at(&temporary)))?;
    file.sync(SyncMode::All).await.map_err(|error| EditError::Fatal(error.at(&temporary)))?;
    if let Err(error) = env.disk.rename(&temporary, &path).await {
        let visible = env.disk.list(MANIFEST_DIRECTORY).await;
        let visible = visible.map_or(true, |names| names.iter().any(|name| path.ends_with(name)));
        return Err(if visible { EditError::Fatal(error) } else { recoverable(error) });
    }
    env.disk.sync_dir(MANIFEST_DIRECTORY).await.map_err(EditError::Fatal)?;
    Ok((file, end))
}

struct FoundRecord<'a> {
    kind: u32,
    follows: u64,
    version: u64,
    body: &'a [u8],
}

impl FoundRecord<'_> {
    fn padded_len(&self) -> usize {
        (HEADER_LEN + self.body.len()).next_multiple_of(BLOCK)
    }
}

fn encode(identity: FileIdentity, offset: u64, kind: u32, follows: u64, version: u64, body: &[u8]) -> Buf {
    let mut out = Buf::with_capacity(HEADER_LEN + body.len());
    out.put_u32(MAGIC);
    out.put_u32(MANIFEST_FORMAT);
    out.put_u64(0);
    out.put(&identity.database.to_le_bytes());
    out.put_u64(identity.file);
    out.put_u64(follows);
    out.put_u64(version);
    out.put_u32(kind);
    out.put_u32(u32::try_from(body.len()).expect("a manifest is shorter than 4 GiB"));
    out.put(body);
    let sum = identity.checksum(offset, &out[COVERED_FROM..]);
    out[CHECKSUM_AT..COVERED_FROM].copy_from_slice(&sum.to_le_bytes());
    out.resize(out.len().next_multiple_of(BLOCK));
    out
}

/// The record at `at`, if an intact one of this manifest is there. An intact one of a newer format is an error.
fn find(identity: FileIdentity, at: usize, bytes: &[u8]) -> Result<Option<FoundRecord<'_>>> {
    let Some(bytes) = bytes.get(at..) else { return Ok(None) };
    let mut reader = Reader::new(bytes);
    let mut fields = || {
        let (magic, format, sum) = (reader.u32()?, reader.u32()?, reader.u64()?);
        let (_database, _number) = (reader.take(16)?, reader.u64()?);
        let (follows, version, kind, len) = (reader.u64()?, reader.u64()?, reader.u32()?, reader.u32()?);
        let body = reader.take(len as usize)?;
        Some((magic, format, sum, FoundRecord { kind, follows, version, body }))
    };
    let Some((magic, format, sum, record)) = fields() else { return Ok(None) };
    let covered = &bytes[COVERED_FROM..HEADER_LEN + record.body.len()];
    if magic != MAGIC || sum != identity.checksum(at as u64, covered) {
        return Ok(None);
    }
    if format != MANIFEST_FORMAT {
        let file = ManifestName::Manifest(identity.file).path().into();
        return Err(Error::UnsupportedFormat { file, found: format, supported: MANIFEST_FORMAT });
    }
    Ok(Some(record))
}

/// What to say of a manifest without an intact base.
fn base_error(identity: FileIdentity, path: &str, bytes: &[u8]) -> Error {
    let mut reader = Reader::new(bytes);
    let mut fields = || Some((reader.u32()?, reader.u32()?, reader.u64()?, reader.take(16)?));
    match fields() {
        Some((MAGIC, format, ..)) if format > MANIFEST_FORMAT => {
            Error::UnsupportedFormat { file: path.into(), found: format, supported: MANIFEST_FORMAT }
        }
        Some((MAGIC, _, _, database)) if database != identity.database.to_le_bytes() => {
            Error::Foreign { path: path.into(), what: "the manifest belongs to another database".into() }
        }
        Some((MAGIC, ..)) => Error::corruption(path, 0, "the manifest's base is damaged"),
        _ => Error::corruption(path, 0, "this is no manifest: the magic number is missing"),
    }
}

#[cfg(test)]
mod tests;
