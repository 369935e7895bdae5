//! What each engine survives, as data.
//!
//! A verdict is about promises: a fault that an engine's documents exclude, or do not speak of, is run all the same and
//! what was seen is told, but it does not count against the engine. *Survived* is said only of what was looked at as far
//! as was asked for, and where something was committed meanwhile; of damage it asserts what [`Judged`] says.
//!
//! No engine here has a network, a memory limit or futures that can be dropped: those faults have no row.

use std::time::Duration;

use helios_sim::{Class, Explore, Explored, Failure, FaultKind, Swarm, SwarmReport, swarm};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Promise};
use crate::life::{Life, Trouble};
use crate::script::crash_everywhere;
use crate::table::cell;

/// How far to look.
#[derive(Clone, Debug)]
pub struct Effort {
    /// Worlds for each row of the table.
    pub seeds: u64,
    /// No further world after this much real time, for each row.
    pub row_time_max: Duration,
    /// Every crash point of the script.
    pub crash_points: Explore,
    /// Recoveries that are themselves cut off.
    pub recoveries: Explore,
    /// Only the row of this name, one of [`row_names`]; all when there is none.
    pub row: Option<String>,
}

impl Effort {
    /// `seeds` worlds a row, and two explorations that take a minute each at most.
    pub fn usual(seeds: u64) -> Effort {
        let minute = Some(Duration::from_secs(60));
        let crash_points = Explore { images_max: 256, depth: 0, time_max: minute, ..Explore::default() };
        let recoveries = Explore {
            images_max: 12,
            points_max: 80,
            depth: 3,
            recovery_points_max: 3,
            recovery_images_max: 4,
            kills: false,
            time_max: minute,
            ..Explore::default()
        };
        Effort { seeds, row_time_max: Duration::from_secs(60), crash_points, recoveries, row: None }
    }

    /// The same with `time` as the bound of each part.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Effort {
        self.row_time_max = time;
        self.crash_points.time_max = Some(time);
        self.recoveries.time_max = Some(time);
        self
    }

    fn wants(&self, row: &str) -> bool {
        self.row.as_deref().is_none_or(|wanted| wanted == row)
    }
}

/// Everything that was seen of one engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EngineReport {
    /// The engine and its mode.
    pub engine: String,
    /// Exactly which version ran.
    pub version: String,
    /// The durability setting.
    pub durability: String,
    /// Worlds that each row was to have.
    pub seeds: u64,
    /// The most seconds that a row or an exploration could take.
    pub seconds: u64,
    /// Every crash point of the script, where it was wanted.
    pub crash_points: Option<Exhaustive>,
    /// Recoveries from a sample of these that were themselves cut off, to depth 3.
    pub recoveries: Option<Exhaustive>,
    /// Each fault alone that can reach an engine, in the order of [`FaultKind::ALL`]; then all together that this one
    /// promises to survive.
    pub faults: Vec<FaultRow>,
    /// What to type to see it again.
    pub command: String,
}

/// Crash points, and everything that the disk could then hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exhaustive {
    /// Events of the script that change the disk.
    pub events: u64,
    /// Crash images made.
    pub images: u64,
    /// Those that differ, and were checked.
    pub distinct: u64,
    /// Of these, in a recovery that was itself crashed.
    pub in_recovery: u64,
    /// Restarts after a killed process.
    pub kills: u64,
    /// Whether time ran out before everything was seen.
    pub out_of_time: bool,
    /// Broken promises, each with where and after what.
    pub violations: Vec<String>,
    /// Distinct images checked per second.
    pub images_per_second: f64,
}

/// A fault, and how the engine stood it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaultRow {
    /// The fault.
    pub fault: String,
    /// What a program owes when it meets it.
    pub class: String,
    /// Worlds.
    pub seeds: u64,
    /// How often it fired in them.
    pub fired: u64,
    /// Transactions acknowledged meanwhile.
    pub commits: u64,
    /// Power cuts and kills.
    pub crashes: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether time ran out before all worlds were lived.
    pub out_of_time: bool,
    /// What was asked of the engine.
    pub judged: Judged,
    /// Worlds per second of real time.
    pub seeds_per_second: f64,
}

/// What the oracle asks under a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// What its class demands.
    Class,
    /// That everything is whole when it is reopened: the engine's documents do not say that it refuses commits until then.
    WholeWhenReopened,
    /// The disk damages what it holds: that no row is shown which never was, and none of one transaction without the others.
    /// Older states may come back, and the database may refuse to open, also when the disk has healed.
    NothingInvented,
    /// The disk damages what is read, or keeps it from being read, and heals: the same, and then the database opens and
    /// commits.
    NothingInventedThenWhole,
}

impl Judged {
    /// What is asked of an engine under this fault. Of one that promises nothing, or where what was written is damaged for
    /// good, less can be asked.
    pub(crate) fn under(kind: FaultKind, engine: &dyn Engine) -> Judged {
        use FaultKind::{LatentSector, MisdirectedRead, TransitRot};
        let is_promised = matches!(engine.promise(kind), Promise::Made(_));
        match (kind.class(), kind) {
            (Class::FatalUntilReopened, _) if !engine.refuses_until_reopened(kind) => Judged::WholeWhenReopened,
            (Class::Recoverable | Class::FatalUntilReopened, _) => Judged::Class,
            (_, LatentSector | MisdirectedRead | TransitRot) if is_promised => Judged::NothingInventedThenWhole,
            (Class::Detectable, _) => Judged::NothingInvented,
        }
    }

    /// Whether older states may come back.
    pub(crate) fn is_of_damage(self) -> bool {
        matches!(self, Judged::NothingInvented | Judged::NothingInventedThenWhole)
    }
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Promised, and kept.
    Survived {
        /// Where it is promised.
        promised: String,
    },
    /// Promised, and never met: the engine does nothing that this fault applies to.
    NotMet {
        /// Where it is promised.
        promised: String,
    },
    /// Promised, and broken.
    Violated {
        /// Where it is promised.
        promised: String,
        /// The first broken promise.
        sentence: String,
        /// What to type to see it.
        replay: String,
    },
    /// Not promised.
    NotPromised {
        /// What the documents say instead.
        because: String,
        /// What went wrong nevertheless, if anything did.
        observed: Option<String>,
    },
}

impl EngineReport {
    /// Every broken promise.
    pub fn violations(&self) -> Vec<String> {
        let broken = self.faults.iter().filter_map(|row| match &row.verdict {
            Verdict::Violated { sentence, replay, .. } => Some(format!("{}: {sentence} ({replay})", row.fault)),
            _ => None,
        });
        let explored = [&self.crash_points, &self.recoveries].into_iter().flatten();
        explored.flat_map(|explored| explored.violations.iter().cloned()).chain(broken).collect()
    }
}

impl Exhaustive {
    fn of(explored: &Explored) -> Exhaustive {
        Exhaustive {
            events: explored.figures.events,
            images: explored.figures.images,
            distinct: explored.figures.distinct,
            in_recovery: explored.figures.in_recovery.iter().sum(),
            kills: explored.figures.kills,
            out_of_time: explored.figures.out_of_time,
            violations: explored.violations.iter().map(ToString::to_string).collect(),
            images_per_second: explored.images_per_second(),
        }
    }
}

/// The faults that an engine promises to survive: what its swarm has all of.
pub(crate) fn survivable(engine: &dyn Engine) -> Vec<FaultKind> {
    let survives =
        |kind: &FaultKind| kind.class() != Class::Detectable && matches!(engine.promise(*kind), Promise::Made(_));
    faults().filter(survives).collect()
}

/// Names of lines of the table that are not those of a fault.
pub(crate) const CRASH_POINTS: &str = "every crash point";
pub(crate) const RECOVERIES: &str = "crashes in recovery";
pub(crate) const TOGETHER: &str = "all promised together";

/// The faults that can reach an engine of one caller in one process.
fn faults() -> impl Iterator<Item = FaultKind> {
    let reaches =
        |kind: &FaultKind| !kind.is_of_network() && ![FaultKind::MemoryLimit, FaultKind::Cancellation].contains(kind);
    FaultKind::ALL.iter().copied().filter(reaches)
}

/// Names of the table's rows that can be asked for.
pub fn row_names() -> Vec<&'static str> {
    [CRASH_POINTS, RECOVERIES].into_iter().chain(faults().map(FaultKind::name)).chain([TOGETHER]).collect()
}

/// How long a swarm of lives may go on shrinking what it found.
const SHRINK_FOR: Duration = Duration::from_secs(15);

/// Lives `effort.seeds` lives of an engine in one kind of trouble.
pub fn live_through(engine: &dyn Engine, trouble: Trouble, effort: &Effort) -> FaultRow {
    let promise = match &trouble {
        Trouble::Alone(kind) => engine.promise(*kind),
        Trouble::Some(_) => Promise::Made("each of them"),
    };
    let life = Life::new(engine, trouble.clone());
    let config = Swarm {
        time_max: Some(effort.row_time_max),
        recheck_every: if engine.is_deterministic() { 64 } else { 0 },
        shrink_for: if matches!(promise, Promise::Made(_)) { SHRINK_FOR } else { Duration::ZERO },
        replay_command: format!("{} -- replay \"{{bundle}}\"", crate::command_line::RUN),
        ..Swarm::new("engines", 0..effort.seeds)
    };
    let report = swarm(&config, &life);
    let (fault, class, fired, judged) = match &trouble {
        Trouble::Alone(kind) => {
            (kind.name(), kind.class().name(), report.faults.of(*kind), Judged::under(*kind, engine))
        }
        Trouble::Some(_) => (TOGETHER, "", report.faults.total(), Judged::Class),
    };
    FaultRow {
        fault: fault.to_owned(),
        class: class.to_owned(),
        seeds: report.seeds,
        fired,
        commits: report.commits,
        crashes: report.crashes,
        verdict: verdict(promise, fired, &report),
        out_of_time: report.seeds < effort.seeds && report.failures.is_empty(),
        judged,
        seeds_per_second: report.seeds_per_second(),
    }
}

fn verdict(promise: Promise, fired: u64, report: &SwarmReport) -> Verdict {
    let failure = report.failures.first();
    let sentence = |failure: &Failure| failure.violation.message.clone();
    match (promise, failure) {
        (Promise::NotMade(because), failure) => {
            Verdict::NotPromised { because: because.to_owned(), observed: failure.map(sentence) }
        }
        (Promise::Made(promised), Some(failure)) => Verdict::Violated {
            promised: promised.to_owned(),
            sentence: sentence(failure),
            replay: failure.command.clone(),
        },
        (Promise::Made(promised), None) if !report.is_clean() => Verdict::Violated {
            promised: promised.to_owned(),
            sentence: format!("nothing was committed in {} worlds", report.seeds),
            replay: String::from("it is none of one world"),
        },
        (Promise::Made(promised), None) if fired == 0 => Verdict::NotMet { promised: promised.to_owned() },
        (Promise::Made(promised), None) => Verdict::Survived { promised: promised.to_owned() },
    }
}

/// Looks at everything that `effort` allows; `progress` is told what is done.
pub fn examine(engine: &dyn Engine, effort: &Effort, progress: &mut dyn FnMut(&str)) -> EngineReport {
    let name = format!("{} {}", engine.name(), engine.version());
    let mut explore = |what, config| {
        effort.wants(what).then(|| {
            let explored = crash_everywhere(engine, config);
            progress(&format!("{name}: {what}: {explored}; {:.0} images/s", explored.images_per_second()));
            Exhaustive::of(&explored)
        })
    };
    let crash_points = explore(CRASH_POINTS, &effort.crash_points);
    let recoveries = explore(RECOVERIES, &effort.recoveries);
    let alone = faults().filter(|kind| effort.wants(kind.name())).map(Trouble::Alone);
    let together = effort.wants(TOGETHER).then(|| Trouble::Some(survivable(engine)));
    let mut row = |trouble| {
        let row = live_through(engine, trouble, effort);
        progress(&format!("{name}: {}: {} seeds, fired {}: {}", row.fault, row.seeds, row.fired, cell(&row)));
        row
    };
    EngineReport {
        engine: engine.name().to_owned(),
        version: engine.version(),
        durability: engine.durability().to_owned(),
        seeds: effort.seeds,
        seconds: effort.row_time_max.as_secs(),
        crash_points,
        recoveries,
        faults: alone.chain(together).map(&mut row).collect(),
        command: command(&name, effort),
    }
}

/// What to type to see an engine's column again.
pub(crate) fn command(name: &str, effort: &Effort) -> String {
    let Effort { seeds, row_time_max, row, .. } = effort;
    let row = row.as_ref().map(|row| format!(" --fault \"{row}\"")).unwrap_or_default();
    format!("just engines --engine \"{name}\"{row} --seeds {seeds} --seconds {}", row_time_max.as_secs())
}
