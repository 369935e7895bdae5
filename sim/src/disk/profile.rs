//! What kind of disk and file system stands behind a [`super::SimDisk`].

use std::time::Duration;

/// Bytes of the smallest unit that a crash can tear a write at.
pub const SECTOR: u64 = 512;

/// The promises of a device and its file system. The default makes as few as POSIX allows: what survives it survives
/// the named ones too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceProfile {
    /// The profile's name in reports.
    pub name: &'static str,
    /// Bytes that reach the medium together or not at all: 512 or 4096, on an absolute grid.
    pub atomic_bytes: u64,
    /// What a failed sync leaves behind.
    pub failed_sync: FailedSync,
    /// Whether a crash may leave a renamed file under both names.
    pub half_renames: bool,
    /// Whether directory changes survive a crash only in the order in which they were made (a metadata journal).
    pub ordered_entries: bool,
    /// Whether syncing a new file makes its directory entry durable too. POSIX does not say so; ext4, XFS and Btrfs do.
    pub file_sync_keeps_entry: bool,
    /// Whether sync does what it says. A disk that lies is for testing oracles: no program can survive it.
    pub honest: Honesty,
}

/// What a failed sync leaves behind; see Rebello and others, "Can Applications Recover from fsync Failures?" (USENIX
/// ATC 2020). In every case a part of the changes may have become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedSync {
    /// The pages are marked clean: reads return the new bytes until the machine stops, no later sync writes them, and
    /// it succeeds (ext4, XFS).
    MarksClean,
    /// The same, and the file system refuses all further changes until it is mounted again (XFS after a failed
    /// metadata write).
    ShutsDown,
    /// The pages go back to what is durable (Btrfs).
    Reverts,
}

/// Whether a sync keeps its promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    /// It does.
    Honest,
    /// Every sync of a file succeeds and does nothing.
    IgnoresSync,
    /// Every sync of a directory succeeds and does nothing.
    IgnoresSyncDir,
}

impl DeviceProfile {
    /// As few promises as POSIX allows.
    pub const fn posix() -> DeviceProfile {
        DeviceProfile {
            name: "posix",
            atomic_bytes: SECTOR,
            failed_sync: FailedSync::MarksClean,
            half_renames: true,
            ordered_entries: false,
            file_sync_keeps_entry: false,
            honest: Honesty::Honest,
        }
    }

    /// ext4, data=ordered, on a drive with 512-byte sectors.
    pub const fn ext4() -> DeviceProfile {
        DeviceProfile {
            name: "ext4",
            half_renames: false,
            ordered_entries: true,
            file_sync_keeps_entry: true,
            ..DeviceProfile::posix()
        }
    }

    /// XFS on a drive with 4096-byte sectors.
    pub const fn xfs() -> DeviceProfile {
        DeviceProfile { name: "xfs", atomic_bytes: 4096, failed_sync: FailedSync::ShutsDown, ..DeviceProfile::ext4() }
    }

    /// Btrfs.
    pub const fn btrfs() -> DeviceProfile {
        DeviceProfile { name: "btrfs", atomic_bytes: 4096, failed_sync: FailedSync::Reverts, ..DeviceProfile::ext4() }
    }

    /// A disk whose syncs succeed and do nothing: an oracle that does not notice is no oracle.
    pub const fn ignores_sync() -> DeviceProfile {
        DeviceProfile { name: "ignores sync", honest: Honesty::IgnoresSync, ..DeviceProfile::posix() }
    }

    /// A disk whose syncs of directories succeed and do nothing.
    pub const fn ignores_sync_dir() -> DeviceProfile {
        DeviceProfile { name: "ignores directory sync", honest: Honesty::IgnoresSyncDir, ..DeviceProfile::posix() }
    }

    /// The honest profiles.
    pub const HONEST: [DeviceProfile; 4] =
        [DeviceProfile::posix(), DeviceProfile::ext4(), DeviceProfile::xfs(), DeviceProfile::btrfs()];
}

impl Default for DeviceProfile {
    fn default() -> DeviceProfile {
        DeviceProfile::posix()
    }
}

/// What a crash may do to unsynced changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Lose a write, a truncation, an allocation.
    pub lose_writes: bool,
    /// Keep some sectors of a write.
    pub tear_writes: bool,
    /// Keep a change and lose an earlier one.
    pub reorder: bool,
    /// Lose a directory entry's change.
    pub lose_entries: bool,
    /// Leave a renamed file under both names.
    pub half_renames: bool,
}

impl Crash {
    /// Everything it can.
    pub const ALL: Crash =
        Crash { lose_writes: true, tear_writes: true, reorder: true, lose_entries: true, half_renames: true };
}

/// How long operations take in simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Every operation is done when it is submitted. The fastest, and the fewest interleavings: the choice of
    /// [`crate::explore()`].
    Immediate,
    /// An operation takes one to eight times its base latency, at random: operations overtake one another, and a crash
    /// finds some of them in flight.
    Delayed {
        /// The least that a read takes.
        read: Duration,
        /// The least that a write takes, or a change of a directory.
        write: Duration,
        /// The least that a sync takes.
        sync: Duration,
    },
}

impl Timing {
    /// A decent NVMe drive.
    pub const fn nvme() -> Timing {
        Timing::Delayed {
            read: Duration::from_micros(80),
            write: Duration::from_micros(20),
            sync: Duration::from_micros(400),
        }
    }
}
