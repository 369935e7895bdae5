//! What a world is made from.

use std::time::Duration;

use crate::choices::Choices;
use crate::disk::{DeviceProfile, DiskImage, Timing};
use crate::faults::Faults;
use crate::marks::Buggify;
use crate::trace::TraceLevel;

/// Everything that a world is made from. With the same values it does the same things.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Who decides.
    pub choices: Choices,
    /// What fails, and how often.
    pub faults: Faults,
    /// What the disks promise.
    pub profile: DeviceProfile,
    /// How long I/O takes.
    pub timing: Timing,
    /// How often the program is perturbed.
    pub buggify: Buggify,
    /// How much of the trace is kept.
    pub trace: TraceLevel,
    /// The first disk's contents.
    pub image: DiskImage,
    /// Polls without any progress of time after which a run counts as spinning.
    pub polls_max: u64,
    /// Simulated time after which a run counts as hanging.
    pub time_limit: Duration,
}

impl WorldConfig {
    /// A world in which I/O takes time and nothing fails but by a crash.
    pub fn new(choices: Choices) -> WorldConfig {
        WorldConfig {
            choices,
            faults: Faults::default(),
            profile: DeviceProfile::default(),
            timing: Timing::nvme(),
            buggify: Buggify::OFF,
            trace: TraceLevel::Hash,
            image: DiskImage::empty(),
            polls_max: 1_000_000,
            time_limit: Duration::from_secs(3_600),
        }
    }

    /// The same, decided by a seed.
    pub fn seeded(seed: u64) -> WorldConfig {
        WorldConfig::new(Choices::seeded(seed))
    }
}
