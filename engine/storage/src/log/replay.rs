//! Recovery: reading the log, and making what was read durable. The rules are in the module's essay ([`super`]).

use std::collections::VecDeque;

use bytes::Bytes;
use helios_env::sync::{Arc, AtomicU64};
use helios_env::{Buf, Env, OpenOptions};

use super::batch::{self, BatchHeader};
use super::record::{self, Record};
use super::segment::{self, CreateError, SegmentHeader, SegmentName};
use super::writer::{LogProgress, LogWriter, Spare};
use super::{Lsn, Segments};
use crate::checksum::FileIdentity;
use crate::directory::DirectoryLock;
use crate::io::ReadRange;
use crate::{Error, Options, Result};

/// What reading the log meets, in order.
pub(crate) enum Event {
    /// A batch's records, and its length in the file.
    Batch(Vec<Record>, u64),
    /// Everything from here on is in a newer segment, and everything before is durable.
    Boundary(Lsn),
}

/// Bytes behind the last readable batch: it was being written when the process or the machine died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Path below the data directory.
    pub file: String,
    /// Where the log ends.
    pub offset: u64,
    /// How many bytes behind are not zero, from there to the last such one.
    pub bytes: u64,
}

/// What the log holds.
pub(crate) struct Replayed {
    pub(crate) torn: Option<TornTail>,
    /// Position up to which durability is proven (D), and the chain there.
    proven: Lsn,
    previous: u64,
    /// Batches from D on.
    tail: VecDeque<TailBatch>,
    /// Highest incarnation and segment number seen.
    incarnation: u64,
    newest_segment: u64,
    /// Segments that are part of the log, oldest first, and those wholly below the flushed position.
    segments: Vec<(u64, Lsn)>,
    pub(crate) obsolete: Vec<u64>,
}

struct TailBatch {
    body: Bytes,
    header: BatchHeader,
    checksum: u64,
    end: Lsn,
}

/// Where the log is read from.
pub(crate) struct Source<'a> {
    pub(crate) env: &'a Env,
    pub(crate) direct: bool,
    pub(crate) database: u128,
}

/// A segment whose contents are on their way.
struct Opened {
    path: String,
    read: ReadRange,
}

impl Source<'_> {
    async fn header(&self, id: u64) -> Result<SegmentHeader> {
        let path = SegmentName::Segment(id).path();
        let named = |error: helios_env::IoError| error.at(&path);
        let file = self.env.disk.open(&path, OpenOptions::read().direct(self.direct)).await.map_err(named)?;
        let front = ReadRange::new(file, 0, helios_env::ALIGNMENT, self.direct).await.map_err(named)?;
        SegmentHeader::decode(FileIdentity { database: self.database, file: id }, &path, &front)
    }

    async fn open(&self, id: u64) -> Result<Opened> {
        let path = SegmentName::Segment(id).path();
        let named = |error: helios_env::IoError| error.at(&path);
        let file = self.env.disk.open(&path, OpenOptions::read().direct(self.direct)).await.map_err(named)?;
        let len = file.len().await.map_err(named)? as usize;
        let read = ReadRange::new(file, 0, len.next_multiple_of(helios_env::ALIGNMENT), self.direct);
        Ok(Opened { path, read })
    }
}

/// Reads the log from the position that files hold already. `ids` are the segments, ascending; `newest` is one that
/// must be among them, or older than them. While somebody appends, `until` is a position that is complete: what lies
/// behind is not judged.
pub(crate) async fn replay(
    source: &Source<'_>,
    ids: &[u64],
    newest: u64,
    flushed: Lsn,
    until: Option<Lsn>,
    see: &mut (dyn FnMut(Event) + Send),
) -> Result<Replayed> {
    if ids.last().copied().unwrap_or(0) < newest {
        let path = SegmentName::Segment(newest).path();
        return Err(Error::corruption(&path, 0, "the segment is missing: the manifest says that it was there"));
    }
    let mut replayed = Replayed {
        torn: None,
        proven: flushed,
        previous: 0,
        tail: VecDeque::new(),
        incarnation: 0,
        newest_segment: ids.last().copied().unwrap_or(0),
        segments: Vec::new(),
        obsolete: Vec::new(),
    };
    let mut headers = Vec::new();
    for &id in ids {
        let header = source.header(id).await?;
        replayed.incarnation = replayed.incarnation.max(header.incarnation);
        headers.push((id, header));
    }
    while let [(id, _), (_, next), ..] = headers[..]
        && next.start_lsn <= flushed
    {
        replayed.obsolete.push(id);
        headers.remove(0);
    }
    let Some((first, header)) = headers.first() else { return Ok(replayed) };
    if header.start_lsn > flushed {
        let path = SegmentName::Segment(*first).path();
        let what = format!("the log begins at {}, but files hold it only up to {flushed}", header.start_lsn);
        return Err(Error::corruption(&path, 0, what));
    }
    replayed.segments = headers.iter().map(|(id, header)| (*id, header.start_lsn)).collect();
    let mut chain = header.previous;
    let mut opened = source.open(*first).await?;
    for (number, (_, header)) in headers.iter().enumerate() {
        // Read ahead: the next segment is on its way while this one is walked.
        let (end, next) = match headers.get(number + 1) {
            Some((next, header)) => (Some(header.start_lsn), Some(source.open(*next).await?)),
            None => (None, None),
        };
        let bytes = opened.read.await.map_err(|error| error.at(&opened.path))?;
        let mut walk = Walk { path: &opened.path, header: *header, bytes: &bytes, position: header.start_lsn, chain };
        if header.previous != chain {
            return Err(walk.damaged("the segment does not continue the one before it"));
        }
        if number > 0 {
            see(Event::Boundary(header.start_lsn));
        }
        replayed.prove(header.durable_lsn);
        if header.start_lsn <= replayed.proven {
            replayed.previous = chain;
        }
        let mut last = None;
        while let Some(found) = walk.next(end) {
            last = Some((found.body, found.header.records));
            replayed.prove(found.header.durable_lsn);
            let (start, end) = (walk.position.0, walk.position.0 + found.padded_len(header.block as usize));
            (walk.position, walk.chain) = (Lsn(end), found.checksum);
            if walk.position <= flushed {
                replayed.previous = found.checksum;
                continue;
            }
            let body = Bytes::copy_from_slice(found.body);
            let records = record::decode_body(&body, found.header.records);
            let records = records.ok_or_else(|| walk.damaged("a batch's records are malformed"))?;
            see(Event::Batch(records, end - start));
            replayed.tail.push_back(TailBatch { body, header: found.header, checksum: found.checksum, end: Lsn(end) });
            replayed.prove(replayed.proven);
        }
        chain = walk.chain;
        match end {
            Some(end) if walk.position != end => return Err(walk.damaged("the log is damaged where it was durable")),
            Some(_) => (),
            None if until.is_some_and(|until| walk.position >= until) => (),
            None if (bytes.len() as u64) < header.capacity && !is_sealed(&walk, last) => {
                let what = format!("the segment is {} bytes long, of {} reserved", bytes.len(), header.capacity);
                return Err(Error::corruption(&opened.path, bytes.len() as u64, what));
            }
            None => replayed.torn = walk.end_of_log(replayed.proven.max(until.unwrap_or_default()))?,
        }
        match next {
            Some(next) => opened = next,
            None => break,
        }
    }
    Ok(replayed)
}

/// Whether the last batch closed the log in order; only then is its segment shorter than was reserved. A seal below
/// the durable position of the segment's header closed an earlier segment: recovery wrote it again.
fn is_sealed(walk: &Walk<'_>, last: Option<(&[u8], u32)>) -> bool {
    walk.position > walk.header.durable_lsn && last.is_some_and(is_seal)
}

fn is_seal((body, records): (&[u8], u32)) -> bool {
    let records = record::decode_body(&Bytes::copy_from_slice(body), records);
    records.is_some_and(|records| records.contains(&Record::Seal))
}

/// A walk over one segment's batches.
struct Walk<'a> {
    path: &'a str,
    header: SegmentHeader,
    bytes: &'a [u8],
    position: Lsn,
    chain: u64,
}

impl<'a> Walk<'a> {
    fn offset(&self) -> u64 {
        u64::from(self.header.block) + (self.position.0 - self.header.start_lsn.0)
    }

    fn damaged(&self, what: &'static str) -> Error {
        Error::corruption(self.path, self.offset(), what)
    }

    /// An intact batch of this segment at `offset`.
    fn batch_at(&self, offset: u64) -> Option<batch::FoundBatch<'a>> {
        let found = batch::find(self.bytes.get(usize::try_from(offset).ok()?..)?)?;
        let lsn = self.header.start_lsn.0 + (offset - u64::from(self.header.block));
        (found.header.incarnation == self.header.incarnation && found.header.lsn == Lsn(lsn)).then_some(found)
    }

    /// The batch here, if it is intact, chains, and lies before `end`.
    fn next(&self, end: Option<Lsn>) -> Option<batch::FoundBatch<'a>> {
        if end.is_some_and(|end| self.position >= end) {
            return None;
        }
        self.batch_at(self.offset()).filter(|found| found.header.previous == self.chain)
    }

    /// Called where the log's last batch ends: whether that is where it should end, and what lies behind.
    fn end_of_log(&self, proven: Lsn) -> Result<Option<TornTail>> {
        if self.position < proven {
            return Err(self.damaged("the log is damaged where it was durable"));
        }
        let block = u64::from(self.header.block);
        let mut later = self.offset() + block;
        while later < self.bytes.len() as u64 {
            match self.batch_at(later) {
                Some(found) if found.header.durable_lsn > self.position => {
                    return Err(self.damaged("the log is damaged where it was durable, as a later batch states"));
                }
                Some(found) => later += found.padded_len(self.header.block as usize),
                None => later += block,
            }
        }
        let rest = self.bytes.get(self.offset() as usize..).unwrap_or_default();
        let torn = rest.iter().rposition(|&byte| byte != 0);
        Ok(torn.map(|last| TornTail { file: self.path.into(), offset: self.offset(), bytes: last as u64 + 1 }))
    }
}

impl Replayed {
    /// Everything below `lsn` is durable.
    fn prove(&mut self, lsn: Lsn) {
        self.proven = self.proven.max(lsn);
        while let Some(oldest) = self.tail.front().filter(|oldest| oldest.end <= self.proven) {
            self.previous = oldest.checksum;
            self.tail.pop_front();
        }
    }

    /// Bytes that could be read but were not proven durable.
    pub(crate) fn unproven_bytes(&self) -> u64 {
        self.tail.iter().map(|batch| batch.body.len() as u64).sum()
    }

    /// Writes the unproven tail again, into the first segment of a new incarnation, and goes on behind it.
    pub(crate) async fn go_on(
        self,
        env: &Env,
        options: &Arc<Options>,
        database: u128,
        lock: Arc<DirectoryLock>,
    ) -> Result<LogWriter> {
        let block = options.log_block_bytes;
        let salt = env.rng.fork("log incarnation").next_u64() & u64::from(u32::MAX);
        let incarnation = (((self.incarnation >> 32) + 1) << 32) | salt;
        let id = self.newest_segment + 1;
        let (mut position, mut previous) = (self.proven, self.previous);
        let mut front = Buf::new();
        let mut tail = Buf::new();
        for old in &self.tail {
            let mut again = Buf::new();
            batch::begin(&mut again);
            again.extend_from_slice(&old.body);
            let header = BatchHeader {
                previous,
                incarnation,
                lsn: position,
                durable_lsn: self.proven,
                wall: old.header.wall,
                ..old.header
            };
            previous = batch::finish(&mut again, &header, block);
            position.0 += again.len() as u64;
            tail.extend_from_slice(&again);
        }
        let room = (block + tail.len()) as u64;
        let capacity = options.segment_bytes.next_multiple_of(block as u64).max(room);
        let prepared = segment::prepare(env, options, id, capacity).await?;
        let header = SegmentHeader {
            block: block as u32,
            incarnation,
            start_lsn: self.proven,
            previous: self.previous,
            durable_lsn: position,
            wall: env.clock.wall().0,
            capacity: prepared.reserved(),
        };
        front.extend_from_slice(&header.encode(FileIdentity { database, file: id }));
        front.extend_from_slice(&tail);
        if let Err(CreateError::NoSpace(error) | CreateError::Fatal(error)) =
            segment::install(env, &prepared, id, front, block).await
        {
            return Err(error.into());
        }
        if !self.tail.is_empty() {
            env.sometimes("storage: recovery wrote the unproven tail of the log again");
        }
        let segments = Arc::new(Segments::default());
        for (id, start) in &self.segments {
            segments.push(*id, *start);
        }
        segments.push(id, self.proven);
        let progress = Arc::new(LogProgress::at(position));
        Ok(LogWriter {
            env: env.clone(),
            options: options.clone(),
            database,
            incarnation,
            file: prepared.file,
            segment: id,
            start: self.proven,
            capacity: prepared.capacity,
            position,
            previous,
            next_segment: Arc::new(AtomicU64::new(id + 1)),
            segments,
            progress,
            spare: Arc::new(Spare::default()),
            preparing: None,
            lock: Arc::downgrade(&lock),
        })
    }
}
