//! One fault at a time: what every kind does to the database, and whether it is answered as its class demands.
//!
//! A swarm with everything switched on finds most, and says little about any one fault. Here each kind has worlds of its
//! own, in which it certainly fires and nothing else does but crashes; their sum is the fault table of the report.
//!
//! | class | what the life's oracle demands |
//! |---|---|
//! | recoverable | nothing acknowledged is lost, no statement fails with an I/O error, the store never stops |
//! | fatal until reopened | nothing is acknowledged after the first failure, and everything that was is there after the next opening |
//! | detectable | what is damaged is refused or reported, and what is answered is right |

use std::time::Duration;

use helios_sim::{Class, DeviceProfile, FaultKind, Stats, Swarm, SwarmReport, Violation, Workload, World, swarm};

use crate::{Disks, Gateway, Operations};

/// Files that are read back and checked block by block. A write to the log that was acknowledged and never made can take a
/// commit back without a trace: that disk lies, and only an oracle can tell.
const CHECKED_FILES: &str = ".sst";

/// A workload in worlds that fail in one way. See the [module](self).
pub struct Focus {
    kind: FaultKind,
    name: String,
    inner: Box<dyn Workload>,
}

impl Focus {
    /// [`Operations`] in worlds in which `kind` certainly fires; [`Gateway`] where it is one of the network.
    pub fn new(kind: FaultKind) -> Focus {
        let inner: Box<dyn Workload> = match kind.class() {
            _ if kind.is_of_network() => Box::new(Gateway::new(Disks::Honest)),
            Class::Detectable => Box::new(Operations::new(Disks::Rotten)),
            _ => Box::new(Operations::new(Disks::Honest)),
        };
        let usual = if kind.is_of_network() { "gateway" } else { "operations" };
        Focus { kind, name: format!("{usual} with {}", kind.name()), inner }
    }
}

impl Workload for Focus {
    fn name(&self) -> &str {
        &self.name
    }

    fn faults(&self) -> Vec<FaultKind> {
        use FaultKind::{HalfRename, LostEntry, LostWrite, PowerCut, ReorderedWrite, TornWrite};
        match self.kind {
            // A change is out of order only when an earlier one is lost.
            ReorderedWrite => vec![PowerCut, LostWrite, ReorderedWrite],
            kind @ (TornWrite | LostWrite | LostEntry | HalfRename) => vec![PowerCut, kind],
            kind => vec![kind],
        }
    }

    fn uses_network(&self) -> bool {
        self.inner.uses_network()
    }

    fn certain_faults(&self) -> Vec<FaultKind> {
        self.faults()
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        let mut profiles = self.inner.profiles();
        if self.kind == FaultKind::HalfRename {
            profiles.retain(|profile| profile.half_renames);
        }
        profiles
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        if self.kind == FaultKind::StaleRead {
            world.set_faults(world.faults().within(self.kind, CHECKED_FILES));
        }
        self.inner.run(world)
    }
}

/// What one kind of fault came to.
#[derive(Clone, Debug)]
pub struct FaultRow {
    /// The kind.
    pub kind: FaultKind,
    /// Its worlds.
    pub report: SwarmReport,
}

impl FaultRow {
    /// How often it fired.
    pub fn fired(&self) -> u64 {
        self.report.faults.of(self.kind)
    }
}

/// How often a kind has to fire, and how much longer than usual it is waited for.
const FIRED_MIN: u64 = 3;
const PATIENCE: u64 = 12;

/// Lives `seeds` lives of every kind of fault, on so many threads; more of them where the fault is a rare one.
pub fn fault_table(kinds: &[FaultKind], seeds: u64, jobs: usize, mut each: impl FnMut(&FaultRow)) -> Vec<FaultRow> {
    let row = |kind: &FaultKind| {
        let workload = Focus::new(*kind);
        let lives = |turn: u64| {
            let seeds = turn * seeds..(turn + 1) * seeds;
            swarm(&Swarm { jobs, shrink_for: Duration::from_secs(20), ..Swarm::new("faults", seeds) }, &workload)
        };
        let mut row = FaultRow { kind: *kind, report: lives(0) };
        for turn in 1..PATIENCE {
            if row.fired() >= FIRED_MIN || !row.report.failures.is_empty() {
                break;
            }
            row.report.merge(lives(turn));
        }
        each(&row);
        row
    };
    kinds.iter().map(row).collect()
}
