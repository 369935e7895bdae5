//! What travels: segments, and the names of the two ends of a connection.

use xxhash_rust::xxh3::xxh3_64;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The one that asked for it.
    Client,
    /// The one that listened.
    Server,
}

/// One end of one connection. Connections are numbered from the beginning of the world and never twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndId {
    pub(super) connection: u64,
    pub(super) side: Side,
}

impl EndId {
    pub(super) fn other(self) -> EndId {
        let side = match self.side {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        EndId { side, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// May I? (SYN)
    Open { port: u16 },
    /// You may. (SYN, ACK)
    Accept,
    /// Nobody listens. (RST in answer to a SYN)
    Refuse,
    /// Bytes, the end of all bytes, or both.
    Data { fin: bool },
    /// What has arrived, and how much more may come.
    Ack,
    /// Are you there? To be answered with an [`Kind::Ack`].
    Probe,
    /// It is over. (RST)
    Reset,
}

/// One segment. Positions count the bytes of a direction from 0; the end of all bytes counts as one more.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) to: EndId,
    pub(super) kind: Kind,
    /// Which life of the connection's server end this is about, 0 before it has one: what initial sequence numbers are
    /// for in TCP. A segment that was held up on the way cannot be taken for one of a connection that was opened anew
    /// by a duplicate.
    pub(super) tag: u64,
    /// The position of `data`.
    pub(super) seq: u64,
    /// Everything before this position has arrived at the sender of this segment.
    pub(super) ack: u64,
    /// How many bytes after `ack` it has room for.
    pub(super) window: u64,
    pub(super) data: Vec<u8>,
}

impl Segment {
    /// A segment without bytes.
    pub(super) fn bare(to: EndId, kind: Kind, tag: u64) -> Segment {
        Segment { to, kind, tag, seq: 0, ack: 0, window: 0, data: Vec::new() }
    }

    /// What it is, for a trace.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Open { .. } => "open",
            Kind::Accept => "accept",
            Kind::Refuse => "refuse",
            Kind::Data { fin: false } => "data",
            Kind::Data { fin: true } => "data and end",
            Kind::Ack => "ack",
            Kind::Probe => "probe",
            Kind::Reset => "reset",
        }
    }

    /// A hash of its bytes, for a trace.
    pub(super) fn data_hash(&self) -> u64 {
        if self.data.is_empty() { self.ack } else { xxh3_64(&self.data) }
    }
}
