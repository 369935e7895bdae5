//! What happened, in order, and a hash of all of it.
//!
//! The hash is always kept: two runs with equal hashes did the same things at the same times. The events themselves
//! are kept only when asked for ([`TraceLevel::Full`]); a failing run is replayed with them. A full trace also holds
//! details that only its [viewer](crate::viewer) needs, which the hash leaves out: it is the same at both levels.

use std::fmt::Write as _;
use std::sync::Arc;

use helios_env::Instant;
use helios_env::sync::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{DiskEvent, Fate};
use crate::faults::FaultKind;

/// How much of a trace to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TraceLevel {
    /// Nothing, not even the hash: for worlds that live for a millisecond and are never compared.
    Off,
    /// The hash alone.
    #[default]
    Hash,
    /// Every event.
    Full,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task was started.
    Spawn {
        /// Its node's number.
        node: usize,
        /// Its number in the world.
        task: u64,
        /// Its name.
        name: &'static str,
    },
    /// A task ran.
    Poll {
        /// Its number in the world.
        task: u64,
        /// Its name.
        name: &'static str,
    },
    /// An I/O operation completed.
    Io {
        /// The disk's node.
        node: usize,
        /// What was done.
        operation: &'static str,
        /// To which file or directory.
        path: Arc<str>,
        /// The inode, of an operation on an open file: its name may have changed since it was opened.
        ino: Option<u32>,
        /// The task that asked for it.
        task: Option<u64>,
        /// When it was submitted; the entry's own time is that of the completion.
        began: Instant,
        /// At which byte.
        offset: u64,
        /// How many bytes, or the new length.
        len: u64,
        /// Bytes moved, or minus the errno.
        result: i64,
        /// A hash of the bytes moved, where there are any.
        data: u64,
    },
    /// A fault fired.
    Fault(FaultKind),
    /// A node crashed.
    Crash {
        /// Its number.
        node: usize,
        /// How.
        kind: FaultKind,
        /// Changes that were not durable.
        changes: usize,
        /// How many of them survived whole.
        kept: usize,
    },
    /// What became of a change that was not durable when the power failed.
    Fate {
        /// The change, in words.
        change: Box<str>,
        /// What became of it.
        fate: Fate,
    },
    /// A segment came to the end of its way.
    Segment {
        /// The connection's number in the world.
        connection: u64,
        /// The node that sent it.
        from: usize,
        /// The node that it was sent to.
        to: usize,
        /// What it is.
        what: &'static str,
        /// When it was sent; the entry's own time is that of its end.
        began: Instant,
        /// The position of its first byte in its direction of the connection.
        seq: u64,
        /// How many bytes.
        len: u64,
        /// What became of it.
        fate: &'static str,
        /// A hash of the bytes.
        data: u64,
    },
    /// An end of a connection is in another state.
    Connection {
        /// The connection's number in the world.
        connection: u64,
        /// Whose end.
        node: usize,
        /// Which state.
        what: &'static str,
    },
    /// The program reached a marked state.
    Mark(&'static str),
    /// The program was asked to behave unusually.
    Buggify(&'static str),
    /// Whatever the workload wants to be read in the trace.
    Note(Box<str>),
    /// A task has ended. Only in a full trace.
    End {
        /// Its number in the world.
        task: u64,
    },
    /// What became of what was written. Only in a full trace.
    Disk {
        /// The disk's node.
        node: usize,
        /// What happened on it.
        event: DiskEvent,
    },
}

/// An event and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// What.
    pub event: Event,
}

#[derive(Default)]
pub(crate) struct Trace {
    level: TraceLevel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hash: u64,
    count: u64,
    entries: Vec<Entry>,
}

impl Trace {
    pub(crate) fn new(level: TraceLevel) -> Trace {
        Trace { level, state: Mutex::default() }
    }

    pub(crate) fn record(&self, at: Instant, event: Event) {
        if self.level == TraceLevel::Off {
            return;
        }
        let mut state = self.state.lock();
        if !event.is_detail() {
            state.hash = mix(mix(state.hash, at.0), event.hash());
            state.count += 1;
        }
        if self.level == TraceLevel::Full {
            state.entries.push(Entry { at, event });
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.level == TraceLevel::Full
    }

    /// A hash of bytes that are moved, if anybody is to know.
    pub(crate) fn digest(&self, bytes: &[u8]) -> u64 {
        if self.level == TraceLevel::Off || bytes.is_empty() { 0 } else { xxh3_64(bytes) }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.state.lock().hash
    }

    pub(crate) fn count(&self) -> u64 {
        self.state.lock().count
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.state.lock().entries.clone()
    }
}

/// Order matters to it.
fn mix(hash: u64, value: u64) -> u64 {
    helios_env::SplitMix64::step(hash.rotate_left(23) ^ value).1
}

impl Event {
    /// Whether it is there to be looked at: it follows from what the hash takes in, which does not need it.
    fn is_detail(&self) -> bool {
        matches!(self, Event::End { .. } | Event::Disk { .. })
    }

    fn hash(&self) -> u64 {
        let name = |tag: u64, name: &str| mix(tag, xxh3_64(name.as_bytes()));
        match self {
            Event::Spawn { node, task, name: called } => mix(mix(name(1, called), *task), *node as u64),
            Event::Poll { task, .. } => mix(2, *task),
            Event::Io { node, operation, path, ino, task, began, offset, len, result, data } => {
                let number = |number: Option<u64>| number.map_or(0, |number| number + 1);
                [*node as u64, number(ino.map(u64::from)), number(*task), began.0, *offset, *len, *result as u64, *data]
                    .into_iter()
                    .fold(name(name(3, operation), path), mix)
            }
            Event::Segment { connection, from, to, what, began, seq, len, fate, data } => {
                [*connection, *from as u64, *to as u64, began.0, *seq, *len, *data]
                    .into_iter()
                    .fold(name(name(40, what), fate), mix)
            }
            Event::Connection { connection, node, what } => mix(mix(name(41, what), *connection), *node as u64),
            Event::Fault(kind) => mix(4, *kind as u64),
            Event::Crash { node, kind, changes, kept } => {
                [*node as u64, *kind as u64, *changes as u64, *kept as u64].into_iter().fold(5, mix)
            }
            Event::Mark(mark) => name(6, mark),
            Event::Buggify(site) => name(7, site),
            Event::Note(text) => name(8, text),
            Event::Fate { change, fate } => {
                let (kind, detail) = match fate {
                    Fate::Kept => (0, 0),
                    Fate::Lost => (1, 0),
                    Fate::Prefix(cut) => (2, *cut),
                    Fate::Suffix(cut) => (3, *cut),
                    Fate::Scattered(bits) => (4, *bits),
                    Fate::LengthOnly => (5, 0),
                    Fate::BothNames => (6, 0),
                };
                mix(name(9 + kind, change), u64::from(detail))
            }
            Event::End { .. } | Event::Disk { .. } => unreachable!("a detail is not hashed"),
        }
    }
}

/// A trace as text, one line per event; runs of polls of one task are folded into a line, and details are left out.
pub fn render(entries: &[Entry]) -> String {
    let mut text = String::new();
    let entries: Vec<&Entry> = entries.iter().filter(|entry| !entry.event.is_detail()).collect();
    let mut rest = &entries[..];
    while let Some(Entry { at, event }) = rest.first() {
        let same = rest.iter().take_while(|e| matches!(event, Event::Poll { .. }) && e.event == *event).count().max(1);
        rest = &rest[same..];
        write!(text, "{:>14.3} us  ", at.0 as f64 / 1e3).expect("writing to a string");
        match event {
            Event::Spawn { node, task, name } => writeln!(text, "task   {name} #{task} starts on node {node}"),
            Event::Poll { task, name } if same > 1 => writeln!(text, "task   {name} #{task} runs, {same} times"),
            Event::Poll { task, name } => writeln!(text, "task   {name} #{task} runs"),
            Event::Io { operation, path, offset, len, result, .. } => {
                let outcome = if *result < 0 { format!("errno {}", -result) } else { format!("{result}") };
                writeln!(text, "io     {operation} \"{path}\" at {offset}, {len} -> {outcome}")
            }
            Event::Segment { connection, from, to, what, seq, len, fate, .. } => {
                writeln!(text, "net    #{connection} node {from} to {to}: {what} {seq}+{len} {fate}")
            }
            Event::Connection { connection, node, what } => {
                writeln!(text, "net    #{connection} at node {node}: {what}")
            }
            Event::Fault(kind) => writeln!(text, "FAULT  {}", kind.name()),
            Event::Crash { node, kind, changes, kept } => {
                writeln!(text, "CRASH  {} of node {node}: {kept} of {changes} unsynced changes kept whole", kind.name())
            }
            Event::Fate { change, fate } => writeln!(text, "fate   {change}: {fate:?}"),
            Event::Mark(mark) => writeln!(text, "mark   {mark}"),
            Event::Buggify(site) => writeln!(text, "buggify {site}"),
            Event::Note(note) => writeln!(text, "note   {note}"),
            Event::End { .. } | Event::Disk { .. } => unreachable!("details are left out above"),
        }
        .expect("writing to a string");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_order_and_on_every_field() {
        let hash = |events: &[(u64, Event)]| {
            let trace = Trace::new(TraceLevel::Hash);
            events.iter().for_each(|(at, event)| trace.record(Instant(*at), event.clone()));
            trace.hash()
        };
        let (a, b) = (Event::Mark("a"), Event::Mark("b"));
        let reference = hash(&[(1, a.clone()), (2, b.clone())]);
        assert_eq!(reference, hash(&[(1, a.clone()), (2, b.clone())]));
        assert_ne!(reference, hash(&[(1, b.clone()), (2, a.clone())]));
        assert_ne!(reference, hash(&[(1, a.clone()), (3, b)]));
        assert_ne!(hash(&[(1, a)]), hash(&[(1, Event::Buggify("a"))]));
    }
}
