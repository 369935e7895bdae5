//! What each engine survives, as data and as a table.
//!
//! A verdict is about promises: a fault that an engine's documents exclude, or do not speak of, is run all the same and
//! what was seen is told, but it does not count against the engine.

use std::fmt::Write as _;
use std::time::Duration;

use helios_sim::{Class, Explore, Explored, Failure, FaultKind, Swarm, SwarmReport, swarm};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Promise};
use crate::life::{Life, SHRINK_FOR, Trouble};
use crate::script::crash_everywhere;

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
    /// Only the rows of this fault; of all when it is empty.
    pub fault: String,
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
        Effort { seeds, row_time_max: Duration::from_secs(60), crash_points, recoveries, fault: String::new() }
    }

    /// The same with `time` as the bound of each part.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Effort {
        self.row_time_max = time;
        self.crash_points.time_max = Some(time);
        self.recoveries.time_max = Some(time);
        self
    }

    fn wants(&self, fault: &str) -> bool {
        self.fault.is_empty() || self.fault == fault
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
    /// Every crash point of the script.
    pub crash_points: Exhaustive,
    /// Recoveries from a sample of these that were themselves cut off, to depth 3.
    pub recoveries: Exhaustive,
    /// Each fault alone, in the order of [`FaultKind::ALL`]; then all together that the engine promises to survive.
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
    /// Worlds per second of real time.
    pub seeds_per_second: f64,
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
        let explored = self.crash_points.violations.iter().chain(&self.recoveries.violations);
        explored.cloned().chain(broken).collect()
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
    FaultKind::ALL.iter().copied().filter(survives).collect()
}

/// Names of lines of the table.
const CRASH_POINTS: &str = "every crash point";
const RECOVERIES: &str = "crashes in recovery";
const TOGETHER: &str = "all promised together";

/// The report's name of a class.
fn class_name(class: Class) -> &'static str {
    match class {
        Class::Recoverable => "recoverable",
        Class::FatalUntilReopened => "fatal until reopened",
        Class::Detectable => "detectable",
    }
}

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
    let (fault, class, fired) = match &trouble {
        Trouble::Alone(kind) => (kind.name(), class_name(kind.class()), report.faults.of(*kind)),
        Trouble::Some(_) => (TOGETHER, "", report.faults.total()),
    };
    FaultRow {
        fault: fault.to_owned(),
        class: class.to_owned(),
        seeds: report.seeds,
        fired,
        commits: report.commits,
        crashes: report.crashes,
        verdict: verdict(promise, fired, &report),
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
        (Promise::Made(promised), None) if fired == 0 => Verdict::NotMet { promised: promised.to_owned() },
        (Promise::Made(promised), None) => Verdict::Survived { promised: promised.to_owned() },
    }
}

/// Looks at everything that `effort` allows; `progress` is told what is done.
pub fn examine(engine: &dyn Engine, effort: &Effort, progress: &mut dyn FnMut(&str)) -> EngineReport {
    let name = format!("{} {}", engine.name(), engine.version());
    let mut explore = |what, config| {
        let explored = crash_everywhere(engine, config);
        progress(&format!("{name}: {what}: {explored}; {:.0} images/s", explored.images_per_second()));
        Exhaustive::of(&explored)
    };
    let crash_points = explore(CRASH_POINTS, &effort.crash_points);
    let recoveries = explore(RECOVERIES, &effort.recoveries);
    let alone = FaultKind::ALL.iter().filter(|kind| effort.wants(kind.name())).map(|kind| Trouble::Alone(*kind));
    let together = effort.wants(TOGETHER).then(|| Trouble::Some(survivable(engine)));
    let mut row = |trouble| {
        let row = live_through(engine, trouble, effort);
        progress(&format!("{name}: {}: {} seeds, fired {}: {}", row.fault, row.seeds, row.fired, cell(&row.verdict)));
        row
    };
    EngineReport {
        engine: engine.name().to_owned(),
        version: engine.version(),
        durability: engine.durability().to_owned(),
        crash_points,
        recoveries,
        faults: alone.chain(together).map(&mut row).collect(),
        command: format!("just engines --engine \"{name}\" --seeds {}", effort.seeds),
    }
}

fn cell(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Survived { .. } => "survived",
        Verdict::NotMet { .. } => "not met",
        Verdict::Violated { .. } => "VIOLATED",
        Verdict::NotPromised { observed: None, .. } => "not promised, stood it",
        Verdict::NotPromised { observed: Some(_), .. } => "not promised",
    }
}

/// The table: a line for each fault, a column for each engine, and below it what was broken and what was not promised.
pub fn markdown(reports: &[EngineReport]) -> String {
    let mut text = String::from("| fault | class |");
    for report in reports {
        write!(text, " {} {} |", report.engine, report.version).expect("writing to a string");
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(reports.len()));
    let mut line = |fault: &str, class: &str, cells: &mut dyn Iterator<Item = String>| {
        write!(text, "\n| {fault} | {class} |").expect("writing to a string");
        cells.for_each(|cell| write!(text, " {cell} |").expect("writing to a string"));
    };
    line("durability", "", &mut reports.iter().map(|report| report.durability.clone()));
    line(CRASH_POINTS, "recoverable", &mut reports.iter().map(|report| exhaustive_cell(&report.crash_points)));
    line(RECOVERIES, "recoverable", &mut reports.iter().map(|report| exhaustive_cell(&report.recoveries)));
    let faults = FaultKind::ALL.iter().map(|kind| (kind.name(), class_name(kind.class()))).chain([(TOGETHER, "")]);
    for (fault, class) in faults {
        let row = |report: &EngineReport| {
            report.faults.iter().find(|row| row.fault == fault).map_or_else(String::new, row_cell)
        };
        line(fault, class, &mut reports.iter().map(row));
    }
    text.push('\n');
    for report in reports {
        write!(text, "\n{} {}, again: `{}`\n", report.engine, report.version, report.command)
            .expect("writing to a string");
        for violation in report.violations() {
            writeln!(text, "* violated: {}", violation.lines().next().unwrap_or_default())
                .expect("writing to a string");
        }
        for row in &report.faults {
            if let Verdict::NotPromised { because, observed } = &row.verdict {
                let observed = observed.as_deref().unwrap_or("nothing went wrong");
                writeln!(text, "* {}: not promised ({because}); seen: {observed}", row.fault)
                    .expect("writing to a string");
            }
        }
    }
    text
}

fn exhaustive_cell(exhaustive: &Exhaustive) -> String {
    let Exhaustive { events, images, distinct, violations, images_per_second, .. } = exhaustive;
    let verdict = if violations.is_empty() { "survived" } else { "VIOLATED" };
    let end = if exhaustive.out_of_time { ", out of time" } else { "" };
    format!("{verdict}: {events} events, {images} images, {distinct} distinct, {images_per_second:.0}/s{end}")
}

fn row_cell(row: &FaultRow) -> String {
    format!("{} ({} in {} worlds)", cell(&row.verdict), row.fired, row.seeds)
}
