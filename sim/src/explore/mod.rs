//! Exhaustive crash points: every moment at which a script could be cut off, and everything the disk could look like
//! then.
//!
//! ```text
//!  script:  ──●────●────●────●────●──>      N events that change the disk; the script runs once
//!             │    │    │    │    │
//!             ▼    ▼    ▼    ▼    ▼         at each: what is durable, what is pending, what was promised
//!           images ...  ┌────────────┐
//!                       │ all kept   │      every combination of fates while they are few;
//!                       │ all lost   │      else the plain ones, each change alone, each prefix, each cut,
//!                       │ torn here  │      and then a sample
//!                       └────┬───────┘
//!                            ▼
//!            check(env, ledger):  the program starts from the image and must keep every promise;
//!                                 it is cut off in turn, at its own events, to a bounded depth
//! ```
//!
//! What was promised stands in a [`Ledger`]: the script writes down what the program acknowledged, and what is under
//! way, as soon as it is. The check reads the ledger as it stood at the moment of the crash. It may write too: what
//! one recovery has shown, no later crash may take back.
//!
//! A long script says where its parts begin ([`Ledger::enter`]), and each part gets a bound of its own: see
//! [`Explore::stage_images_max`]. What is looked at in one part does not depend on the others, so that one of them can
//! be explored again alone.
//!
//! Images are told apart by content. One that was checked already against the same ledger is skipped.

mod fates;
mod ledger;
mod plan;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use helios_env::hash::HashMap;
use helios_env::sync::Mutex;
use helios_env::{Env, SplitMix64};

pub use ledger::Ledger;
use plan::Planned;

use crate::choices::Choices;
use crate::disk::{Crash, DeviceProfile, DiskImage, Fate, PowerCut, Timing};
use crate::faults::Faults;
use crate::marks::Buggify;
use crate::panics;
use crate::trace::TraceLevel;
use crate::violation::Violation;
use crate::world::{World, WorldConfig};

/// How far to look.
#[derive(Clone, Debug)]
pub struct Explore {
    /// The disk at the beginning.
    pub image: DiskImage,
    /// What the disk promises.
    pub profile: DeviceProfile,
    /// What a crash may do.
    pub crash: Crash,
    /// How long I/O takes; with [`Timing::Delayed`] a crash finds operations in flight.
    pub timing: Timing,
    /// Decides what runs when, and which images are sampled where there are too many.
    pub seed: u64,
    /// How often the program is perturbed.
    pub buggify: Buggify,
    /// Places at which one write may be torn.
    pub cuts_max: u32,
    /// Images per crash point.
    pub images_max: usize,
    /// How often recovery is crashed in turn.
    pub depth: u32,
    /// Crash points in one recovery.
    pub recovery_points_max: usize,
    /// Images per crash point in a recovery.
    pub recovery_images_max: usize,
    /// Also kill the process at every point: it starts again on a cache that holds what the disk does not.
    pub kills: bool,
    /// Crash points of the script; if it has more, a sample of them.
    pub points_max: usize,
    /// Images of one stage of the script. Where there could be more, a sample of its crash points, and of the images of
    /// each; a stage in which a promise was broken ends there.
    pub stage_images_max: usize,
    /// Look at these stages alone.
    pub stages: Option<RangeInclusive<u64>>,
    /// No further images after this much real time.
    pub time_max: Option<Duration>,
    /// Violations after which to stop.
    pub violations_max: usize,
    /// Where to leave the image of a violation, as real files beside a description.
    pub bundle: Option<PathBuf>,
}

impl Default for Explore {
    fn default() -> Explore {
        Explore {
            image: DiskImage::empty(),
            profile: DeviceProfile::default(),
            crash: Crash::ALL,
            timing: Timing::Immediate,
            seed: 0,
            buggify: Buggify::OFF,
            cuts_max: 8,
            images_max: 1_000,
            depth: 1,
            recovery_points_max: 12,
            recovery_images_max: 16,
            kills: true,
            points_max: usize::MAX,
            stage_images_max: usize::MAX,
            stages: None,
            time_max: None,
            violations_max: 1,
            bundle: None,
        }
    }
}

/// What was looked at, counted. Sums of them are figures too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Events of the script that change the disk.
    pub events: u64,
    /// Crash images made.
    pub images: u64,
    /// Those that were checked: no other had the same content and the same promises.
    pub distinct: u64,
    /// Of the checked ones, those of a recovery that was itself crashed, by depth from 1.
    pub in_recovery: [u64; 3],
    /// Restarts on the cache of a killed process.
    pub kills: u64,
    /// Restarts whose recovery was crashed in turn.
    pub recoveries: u64,
    /// Whether [`Explore::time_max`] ended it before its end.
    pub out_of_time: bool,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Figures) {
        self.events += other.events;
        self.images += other.images;
        self.distinct += other.distinct;
        for (sum, images) in self.in_recovery.iter_mut().zip(other.in_recovery) {
            *sum += images;
        }
        self.kills += other.kills;
        self.recoveries += other.recoveries;
        self.out_of_time |= other.out_of_time;
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Figures { events, images, distinct, in_recovery: [first, second, third], kills, recoveries, .. } = self;
        write!(
            f,
            "{events} events, {images} images ({distinct} distinct; in recovery {first}, {second}, {third}), {kills} kills, \
             {recoveries} recoveries crashed"
        )?;
        if self.out_of_time { f.write_str(", out of time") } else { Ok(()) }
    }
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// What was looked at.
    pub figures: Figures,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// The stage of the script in which each of them was broken.
    pub violation_stages: Vec<u64>,
    /// Real time.
    pub elapsed: Duration,
}

impl Explored {
    /// Images checked per second of real time.
    pub fn images_per_second(&self) -> f64 {
        self.figures.distinct as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Panics with the violations if there are any.
    pub fn assert_clean(&self) {
        let violations: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{self}\n{}", violations.join("\n"));
    }
}

impl std::fmt::Display for Explored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {} violations", self.figures, self.violations.len())
    }
}

/// A moment at which the power may fail.
struct Point<S> {
    cut: PowerCut,
    promised: ledger::Page<S>,
}

type Points<S> = Arc<Mutex<Vec<Point<S>>>>;

/// Runs `script` once, and `check` on everything that a crash could make of it; see the [module](self).
pub fn explore<S, Script, Check, E>(
    config: &Explore,
    promised: S,
    script: impl Fn(Env, Ledger<S>) -> Script,
    check: impl Fn(Env, Ledger<S>) -> Check,
) -> Explored
where
    S: Clone + Send + Sync + 'static,
    Script: Future<Output = Result<(), E>>,
    Check: Future<Output = Result<(), E>>,
    E: Into<Violation>,
{
    let begun = Instant::now();
    let _quiet = panics::quiet();
    let deadline = config.time_max.map(|time| begun + time);
    let mut search = Search { config, check, deadline, visited: HashMap::default(), report: Explored::default() };
    let ledger = Ledger::new(promised);
    let world = search.world(&config.image, 0);
    let points = record(&world, &ledger, usize::MAX);
    let end = run(&world, script(world.env(), ledger.clone()));
    world.disk().observe(None);
    match end {
        Ok(()) => {
            let mut points = std::mem::take(&mut *points.lock());
            points.push(Point { cut: world.disk().power_cut(), promised: ledger.page() });
            drop(world);
            search.report.figures.events = points.len() as u64 - 1;
            for Planned { event, images_max } in plan::plan(config, &points) {
                let whereabouts = format!("before event {event} of the script");
                search.visit(&points[event], event as u64, &whereabouts, 0, images_max);
            }
        }
        Err(violation) => search.blame(violation.with("in the script, before any crash"), ledger.page().stage),
    }
    search.report.elapsed = begun.elapsed();
    search.report.figures.out_of_time = deadline.is_some_and(|deadline| Instant::now() >= deadline);
    search.report
}

/// Runs a future of the program; whatever ends it but success is a violation, a panic too.
fn run<E: Into<Violation>>(world: &World, future: impl Future<Output = Result<(), E>>) -> Result<(), Violation> {
    match panics::caught(|| world.run(future)) {
        Ok(Ok(result)) => result.map_err(Into::into),
        Ok(Err(stop)) => Err(stop.into()),
        Err(message) => Err(Violation::new(format!("panicked {message}"))),
    }
}

/// At most `max` of the numbers below `count`, in order.
fn sample(count: usize, max: usize, seed: u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    let choices = Choices::seeded(seed);
    while numbers.len() > max {
        numbers.swap_remove(choices.pick("explore.point", numbers.len()));
    }
    numbers.sort_unstable();
    numbers
}

/// Notes every crash point of what runs next.
fn record<S: Clone + Send + Sync + 'static>(world: &World, ledger: &Ledger<S>, points_max: usize) -> Points<S> {
    let points: Points<S> = Arc::default();
    let (noted, ledger) = (points.clone(), ledger.clone());
    world.disk().observe(Some(Box::new(move |cut| {
        let mut points = noted.lock();
        if points.len() < points_max {
            points.push(Point { cut: cut(), promised: ledger.page() });
        }
    })));
    points
}

struct Search<'a, Check> {
    config: &'a Explore,
    check: Check,
    deadline: Option<Instant>,
    /// Image and promises, with the depth at which they were met.
    visited: HashMap<(u64, u64), u32>,
    report: Explored,
}

impl<Check> Search<'_, Check> {
    fn world(&self, image: &DiskImage, id: u64) -> World {
        World::new(WorldConfig {
            faults: Faults::none(),
            profile: self.config.profile.clone(),
            timing: self.config.timing,
            buggify: self.config.buggify,
            trace: TraceLevel::Off,
            image: image.clone(),
            ..WorldConfig::new(Choices::seeded(self.config.seed ^ id))
        })
    }

    fn blame(&mut self, violation: Violation, stage: u64) {
        self.report.violations.push(violation);
        self.report.violation_stages.push(stage);
    }

    /// Whether nothing more is looked at in this stage.
    fn is_over(&self, stage: u64) -> bool {
        let is_staged = self.config.stage_images_max < usize::MAX;
        self.report.violations.len() >= self.config.violations_max
            || (is_staged && self.report.violation_stages.last() == Some(&stage))
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Checks at most `images_max` images of one crash point, called `id`.
    fn visit<S, F, E>(&mut self, point: &Point<S>, id: u64, whereabouts: &str, depth: u32, images_max: usize)
    where
        S: Clone + Send + Sync + 'static,
        Check: Fn(Env, Ledger<S>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Into<Violation>,
    {
        let choices = Choices::seeded(self.config.seed ^ id);
        let combinations =
            fates::combinations(&point.cut, self.config.crash, self.config.cuts_max, images_max, &choices);
        for fates in combinations {
            if self.is_over(point.promised.stage) {
                return;
            }
            self.report.figures.images += 1;
            let image = point.cut.resolve(&fates);
            let hash = image.content_hash();
            // One that was met deeper down is looked at again, because its own recovery was crashed less often.
            let known = self.visited.insert((hash, point.promised.version), depth);
            if let Some(known) = known.filter(|known| *known <= depth) {
                self.visited.insert((hash, point.promised.version), known);
            } else {
                if known.is_none() {
                    self.report.figures.distinct += 1;
                    if depth > 0 {
                        self.report.figures.in_recovery[(depth - 1).min(2) as usize] += 1;
                    }
                }
                let world = self.world(&image, hash);
                self.restart(&world, point, hash, whereabouts, Some(&fates), depth);
            }
        }
        if self.config.kills && depth == 0 && point.cut.changes() > 0 && !self.is_over(point.promised.stage) {
            self.report.figures.kills += 1;
            let id = SplitMix64::step(id).1;
            let world = self.world(&DiskImage::empty(), id);
            world.disk().resume(&point.cut);
            self.restart(&world, point, id, whereabouts, None, depth);
        }
    }

    /// Lets the program start in `world`, check its promises, and be cut off in turn.
    fn restart<S, F, E>(
        &mut self,
        world: &World,
        point: &Point<S>,
        id: u64,
        whereabouts: &str,
        fates: Option<&[Fate]>,
        depth: u32,
    ) where
        S: Clone + Send + Sync + 'static,
        Check: Fn(Env, Ledger<S>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Into<Violation>,
    {
        let ledger = Ledger::resume(&point.promised, id);
        let deeper = depth < self.config.depth.min(3);
        let points = deeper.then(|| record(world, &ledger, 10_000));
        if let Err(violation) = run(world, (self.check)(world.env(), ledger.clone())) {
            let mut violation = explain(violation, point, whereabouts, fates);
            if let Some(directory) = &self.config.bundle {
                let directory = numbered(directory, self.report.violations.len());
                violation = match leave(&directory, &violation, point, fates) {
                    Ok(()) => violation.with(format!("the image is in {}", directory.display())),
                    Err(error) => violation.with(format!("the image could not be written: {error}")),
                };
            }
            self.blame(violation, point.promised.stage);
            return;
        }
        let Some(points) = points else { return };
        world.disk().observe(None);
        let mut points = std::mem::take(&mut *points.lock());
        points.push(Point { cut: world.disk().power_cut(), promised: ledger.page() });
        self.report.figures.recoveries += 1;
        let died = if fates.is_some() { "crash" } else { "kill" };
        // If they are too many, others from each image: a pattern would miss the same step of every recovery.
        for event in sample(points.len(), self.config.recovery_points_max, self.config.seed ^ id) {
            let whereabouts = format!("before event {event} of the recovery from a {died} {whereabouts}");
            let id = SplitMix64::step(id ^ event as u64).1;
            self.visit(&points[event], id, &whereabouts, depth + 1, self.config.recovery_images_max);
        }
    }
}

/// The directory of the first violation, and others beside it.
fn numbered(directory: &Path, violations: usize) -> PathBuf {
    let mut path = directory.as_os_str().to_owned();
    if violations > 0 {
        path.push(format!("-{}", violations + 1));
    }
    path.into()
}

/// Writes a violation down, with the disk that the program started from.
fn leave<S>(directory: &Path, violation: &Violation, point: &Point<S>, fates: Option<&[Fate]>) -> std::io::Result<()> {
    if directory.exists() {
        std::fs::remove_dir_all(directory)?;
    }
    let kept = vec![Fate::Kept; point.cut.changes()];
    point.cut.resolve(fates.unwrap_or(&kept)).export(&directory.join("image"))?;
    point.cut.durable().export(&directory.join("durable"))?;
    std::fs::write(directory.join("violation.txt"), format!("{violation}\n"))
}

fn explain<S>(violation: Violation, point: &Point<S>, whereabouts: &str, fates: Option<&[Fate]>) -> Violation {
    let Some(fates) = fates else {
        return violation.with(format!("after the process was killed {whereabouts}"));
    };
    let violation = violation.with(format!("after a power cut {whereabouts}; what was not durable:"));
    let lines = point.cut.describe().into_iter().zip(fates).map(|(change, fate)| format!("  {change}: {fate:?}"));
    lines.fold(violation, Violation::with)
}
