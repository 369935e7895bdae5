//! What can go wrong, how often, and what a program is entitled to afterwards.

use crate::choices::MILLION;
use crate::disk::Crash;

macro_rules! fault_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $class:ident $name:literal,)*) => {
        /// One way in which the world fails a program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind { $($(#[doc = $doc])* $kind,)* }

        impl FaultKind {
            /// Every kind, in the order of declaration.
            pub const ALL: &[FaultKind] = &[$(FaultKind::$kind,)*];

            /// The kind's name in reports.
            pub fn name(self) -> &'static str {
                match self { $(FaultKind::$kind => $name,)* }
            }

            /// What a program owes when it meets this fault.
            pub fn class(self) -> Class {
                match self { $(FaultKind::$kind => Class::$class,)* }
            }
        }
    };
}

/// What a program owes when it meets a fault: the oracle asserts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It must succeed in the end, without losing anything acknowledged.
    Recoverable,
    /// It must refuse further commits until it is reopened, and be whole then.
    FatalUntilReopened,
    /// It must report the damage, never answer wrongly, and serve everything else. (In what it needs in order to open
    /// at all, it must refuse to open and name the place.)
    Detectable,
}

impl Class {
    /// The class's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Class::Recoverable => "recoverable",
            Class::FatalUntilReopened => "fatal until reopened",
            Class::Detectable => "detectable",
        }
    }
}

fault_kinds! {
    /// The power failed, or the machine stopped: whatever was not synced is at the mercy of the disk.
    PowerCut Recoverable "power cut",
    /// The process was killed: the page cache survives it.
    ProcessKill Recoverable "process kill",
    /// A crash kept some sectors of an unsynced write and lost others.
    TornWrite Recoverable "torn write",
    /// A crash lost an unsynced write, truncation or allocation.
    LostWrite Recoverable "lost unsynced write",
    /// A crash kept an unsynced write and lost one made before it.
    ReorderedWrite Recoverable "reordered unsynced write",
    /// A crash lost a creation, rename or removal whose directory was not synced.
    LostEntry Recoverable "lost directory entry",
    /// A crash left a renamed file under both names.
    HalfRename Recoverable "half-done rename",
    /// A read returned fewer bytes than there are.
    ShortRead Recoverable "short read",
    /// A write moved fewer bytes than it was given.
    ShortWrite Recoverable "short write",
    /// A read failed with EIO, once.
    ReadError Recoverable "transient read error",
    /// A write failed with EIO; a part of it may have been made.
    WriteError FatalUntilReopened "write error",
    /// The disk is full: writes fail with ENOSPC for a while, then there is space again.
    NoSpace Recoverable "no space",
    /// A sync failed, and what it should have made durable is in the state that the device profile says.
    SyncError FatalUntilReopened "failed sync",
    /// An operation took a thousand times as long as usual.
    LatencySpike Recoverable "latency spike",
    /// An operation took half a minute.
    StuckIo Recoverable "stuck operation",
    /// A bit of a stored sector flipped, for good.
    BitRot Detectable "stored bit rot",
    /// A bit flipped on the way from the disk; another read returns the right one.
    TransitRot Detectable "bit rot in transit",
    /// A sector cannot be read any more until it is written again.
    LatentSector Detectable "latent sector error",
    /// A write went to another place of the disk, and what it should have replaced is still there.
    MisdirectedWrite Detectable "misdirected write",
    /// A read returned the bytes of another place.
    MisdirectedRead Detectable "misdirected read",
    /// A write was acknowledged and never made: later reads return what was there before.
    StaleRead Detectable "stale read after a lost write",
    /// The wall clock jumped, forwards or backwards.
    ClockJump Recoverable "clock jump",
    /// The wall clock runs too fast or too slowly from now on.
    ClockSkew Recoverable "clock skew",
    /// The wall clock stands still for a while.
    ClockStop Recoverable "clock stop",
    /// The process stood still for a while and its I/O went on, as after SIGSTOP.
    ProcessPause Recoverable "process pause",
    /// Memory that a program asked for was refused, as if its limit were reached.
    MemoryLimit Recoverable "memory limit",
    /// A future was dropped at one of its waits: a client that left, a statement that timed out.
    Cancellation Recoverable "cancellation",
    /// A segment, and all behind it, took long to arrive.
    NetworkDelay Recoverable "network delay",
    /// A segment never arrived.
    SegmentLoss Recoverable "segment loss",
    /// A segment arrived twice.
    SegmentDuplication Recoverable "segment duplication",
    /// A segment arrived after one that was sent later.
    SegmentReordering Recoverable "segment reordering",
    /// For a while nothing that one node sends reaches another, which is heard all the same.
    OneWayPartition Recoverable "one-way partition",
    /// For a while two nodes do not reach each other.
    Partition Recoverable "partition",
    /// A direction of a connection ended, perhaps in the middle of a message, and the other one went on.
    HalfClose Recoverable "half-close",
    /// A connection was reset, usually in the middle of a message.
    ConnectionReset Recoverable "connection reset",
}

/// The number of fault kinds.
pub(crate) const KINDS: usize = FaultKind::ALL.len();

impl FaultKind {
    /// What only a crash can show: on or off, whatever the probability.
    pub const SHOWN_BY_CRASHES: [FaultKind; 5] = [
        FaultKind::TornWrite,
        FaultKind::LostWrite,
        FaultKind::ReorderedWrite,
        FaultKind::LostEntry,
        FaultKind::HalfRename,
    ];

    /// Whether it happens to a network, and so only to programs that use one.
    pub fn is_of_network(self) -> bool {
        use FaultKind::{ConnectionReset, SegmentDuplication, SegmentLoss, SegmentReordering};
        use FaultKind::{HalfClose, NetworkDelay, OneWayPartition, Partition};
        let segments = [NetworkDelay, SegmentLoss, SegmentDuplication, SegmentReordering];
        segments.contains(&self) || [OneWayPartition, Partition, HalfClose, ConnectionReset].contains(&self)
    }
}

/// How likely each kind is, in parts per million of the operations that it applies to. [`FaultKind::PowerCut`] and
/// [`FaultKind::ProcessKill`] come before any operation that changes a disk (and whenever they are asked for). The kinds
/// that only a crash can show ([`FaultKind::TornWrite`] and its kin) are switched on by any probability but zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    ppm: [u32; KINDS],
    /// A kind of the disk's that has one meets only files that were opened under a path that ends so.
    suffix: [Option<&'static str>; KINDS],
}

impl Faults {
    /// A world in which nothing fails; a crash keeps everything.
    pub const fn none() -> Faults {
        Faults { ppm: [0; KINDS], suffix: [None; KINDS] }
    }

    /// A crash that is asked for does what it can, nothing else fails: the default.
    pub fn crashes_only() -> Faults {
        FaultKind::SHOWN_BY_CRASHES.iter().fold(Faults::none(), |faults, kind| faults.with(*kind, MILLION))
    }

    /// The same with `kind` at `ppm` parts per million.
    #[must_use]
    pub fn with(mut self, kind: FaultKind, ppm: u32) -> Faults {
        self.set(kind, ppm);
        self
    }

    /// The same with `kind` at no more than `ppm` parts per million.
    #[must_use]
    pub fn at_most(self, kind: FaultKind, ppm: u32) -> Faults {
        let ppm = self.ppm(kind).min(ppm);
        self.with(kind, ppm)
    }

    /// Sets `kind` to `ppm` parts per million.
    pub fn set(&mut self, kind: FaultKind, ppm: u32) {
        self.ppm[kind as usize] = ppm.min(MILLION);
    }

    /// The same with `kind`, one of the disk's, at files only whose path ends with `suffix`: the path under which a file
    /// was opened, whatever it is called by now, and the first of the two of a rename.
    #[must_use]
    pub fn within(mut self, kind: FaultKind, suffix: &'static str) -> Faults {
        self.suffix[kind as usize] = Some(suffix);
        self
    }

    /// The probability of `kind` at a file, in parts per million.
    pub(crate) fn ppm_at(&self, kind: FaultKind, path: &str) -> u32 {
        match self.suffix[kind as usize] {
            Some(suffix) if !path.ends_with(suffix) => 0,
            _ => self.ppm(kind),
        }
    }

    /// The probability of `kind` in parts per million.
    pub fn ppm(&self, kind: FaultKind) -> u32 {
        self.ppm[kind as usize]
    }

    /// Whether `kind` can happen at all.
    pub fn enabled(&self, kind: FaultKind) -> bool {
        self.ppm(kind) > 0
    }

    /// The kinds that can happen.
    pub fn kinds(&self) -> impl Iterator<Item = FaultKind> + '_ {
        FaultKind::ALL.iter().copied().filter(|kind| self.enabled(*kind))
    }

    /// Whether a program may refuse everything until it is opened again: recoverable faults alone are no reason.
    pub fn entitles_to_stop(&self) -> bool {
        self.kinds().any(|kind| kind.class() != Class::Recoverable)
    }

    /// What a crash may do to unsynced changes.
    pub(crate) fn crash(&self) -> Crash {
        Crash {
            lose_writes: self.enabled(FaultKind::LostWrite),
            tear_writes: self.enabled(FaultKind::TornWrite),
            reorder: self.enabled(FaultKind::ReorderedWrite),
            lose_entries: self.enabled(FaultKind::LostEntry),
            half_renames: self.enabled(FaultKind::HalfRename),
        }
    }
}

impl Default for Faults {
    fn default() -> Faults {
        Faults::crashes_only()
    }
}

/// How often each kind fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultCounts([u64; KINDS]);

impl Default for FaultCounts {
    fn default() -> FaultCounts {
        FaultCounts([0; KINDS])
    }
}

impl FaultCounts {
    /// How often `kind` fired.
    pub fn of(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }

    /// Kinds that fired, with how often.
    pub fn fired(&self) -> impl Iterator<Item = (FaultKind, u64)> + '_ {
        FaultKind::ALL.iter().map(|kind| (*kind, self.of(*kind))).filter(|(_, n)| *n > 0)
    }

    /// The sum over all kinds.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds another world's counts.
    pub fn add(&mut self, other: &FaultCounts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    pub(crate) fn fire(&mut self, kind: FaultKind) {
        self.0[kind as usize] += 1;
    }
}
