//! Many scripts, each explored within a bound per statement.
//!
//! Scripts share nothing, so that threads take them one by one and the report does not depend on how many there are. Where
//! a promise is broken the report names script, line, statement and event, and a command that explores that statement
//! alone and breaks it again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use helios_env::sync::Mutex;
use helios_sim::{DeviceProfile, DiskImage, Explore, Explored, Figures};
use helios_sqllogic::script::Dialect;
use helios_sqllogic::{ratchet, steps};

use super::{Script, ScriptReport, explore_steps, new_database};

/// Which scripts, and how far.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Files (`.slt`; `.test` for SQLite's dialect) and directories of them.
    pub paths: Vec<PathBuf>,
    /// Images of each statement, those of its crashed recoveries not counted.
    pub images_per_statement: usize,
    /// How often a recovery is crashed in turn.
    pub depth: u32,
    /// At how many of its points; with two images of each.
    pub recovery_points: usize,
    /// What the disk promises.
    pub profile: DeviceProfile,
    /// Decides which images are sampled where there are more.
    pub seed: u64,
    /// Threads.
    pub jobs: usize,
    /// Only the statement at this line.
    pub line: Option<u32>,
    /// No further images after this much real time.
    pub time_max: Option<Duration>,
    /// Where the image of a violation is left, in a directory named after its script.
    pub bundles: Option<PathBuf>,
}

impl Default for Sweep {
    fn default() -> Sweep {
        Sweep {
            paths: vec![helios_sqllogic::script::directory(), directory()],
            images_per_statement: 400,
            depth: 3,
            recovery_points: 1,
            profile: DeviceProfile::default(),
            seed: 0,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            line: None,
            time_max: None,
            bundles: Some(helios_sim::failures_directory()),
        }
    }
}

/// Where scripts are that are only for this: COPY with data, statements that write and do not look it.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

impl Sweep {
    /// How many scripts there are.
    pub fn scripts(&self) -> usize {
        helios_sqllogic::script::files(&self.paths).len()
    }
}

/// What came of scripts.
#[derive(Clone, Debug, Default)]
pub struct SweepReport {
    /// Each script, in the order of their paths.
    pub scripts: Vec<ScriptReport>,
    /// Files that are no scripts, and why.
    pub unreadable: Vec<String>,
    /// Files for which there was no time.
    pub not_begun: usize,
    /// Real time.
    pub elapsed: Duration,
}

/// Sums over scripts; see [`ScriptReport`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Scripts.
    pub scripts: usize,
    /// Statements that were explored.
    pub statements: usize,
    /// Of these, those that were refused as they should be.
    pub refused: usize,
    /// Statements that the database does not support.
    pub unsupported: usize,
    /// Statements that succeeded or failed when PostgreSQL did not.
    pub deviating: usize,
    /// Broken promises.
    pub violations: usize,
    /// What was looked at. Out of time when a script was, or was not begun.
    pub explored: Figures,
}

/// Explores every script; `see` is shown each report as soon as it is there.
pub fn sweep(config: &Sweep, see: &(dyn Fn(&ScriptReport) + Sync)) -> SweepReport {
    let begun = Instant::now();
    let paths = helios_sqllogic::script::files(&config.paths);
    let image = new_database();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(number) else { return };
            let time_max = config.time_max.map(|time| time.saturating_sub(begun.elapsed()));
            if time_max.is_some_and(|time| time.is_zero()) {
                return;
            }
            let outcome = explore_file(config, path, &image, time_max);
            if let Ok(report) = &outcome {
                see(report);
            }
            outcomes.lock().push((number, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..config.jobs.min(paths.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut outcomes = outcomes.into_inner();
    let not_begun = paths.len() - outcomes.len();
    outcomes.sort_unstable_by_key(|(number, _)| *number);
    let mut report = SweepReport { not_begun, elapsed: begun.elapsed(), ..SweepReport::default() };
    for (_, outcome) in outcomes {
        match outcome {
            Ok(script) => report.scripts.push(script),
            Err(error) => report.unreadable.push(error),
        }
    }
    report
}

fn explore_file(
    config: &Sweep,
    path: &Path,
    image: &DiskImage,
    time_max: Option<Duration>,
) -> Result<ScriptReport, String> {
    let steps = steps::read(path, Dialect::of(path))?;
    let stage = |line: u32| steps.iter().position(|step| step.line == line).map(|index| index as u64 + 1);
    let stages = match config.line {
        None => None,
        Some(line) => {
            let stage = stage(line).ok_or_else(|| format!("{}: no statement at line {line}", path.display()))?;
            Some(stage..=stage)
        }
    };
    let name = path.strip_prefix(directory()).map_or_else(|_| ratchet::name(path), |path| path.display().to_string());
    let statements: Vec<_> = steps.iter().map(|step| (step.line, step.sql.clone())).collect();
    let explore = Explore {
        image: image.clone(),
        profile: config.profile.clone(),
        seed: config.seed,
        images_max: 400,
        depth: config.depth,
        recovery_points_max: config.recovery_points,
        recovery_images_max: 2,
        stage_images_max: config.images_per_statement,
        stages,
        time_max,
        violations_max: 8,
        bundle: config.bundles.as_ref().map(|bundles| bundles.join(format!("script {}", name.replace('/', " ")))),
        ..Explore::default()
    };
    let mut report = explore_steps(&explore, Script { name, steps, one_in: 4 });
    let Explored { violations, violation_stages, .. } = &mut report.explored;
    for (violation, stage) in violations.iter_mut().zip(violation_stages) {
        let statement = stage.checked_sub(1).and_then(|index| statements.get(index as usize));
        if let Some((line, sql)) = statement {
            violation.context.insert(0, format!("{} line {line}: {sql}", report.name));
        }
        violation.context.push(format!("again: {}", command(config, path, statement.map(|(line, _)| *line))));
    }
    Ok(report)
}

/// What breaks the same promise again.
fn command(config: &Sweep, path: &Path, line: Option<u32>) -> String {
    let Sweep { images_per_statement, depth, recovery_points, profile, seed, .. } = config;
    let line = line.map(|line| format!(" --line {line}")).unwrap_or_default();
    let sampled = format!("--images-per-statement {images_per_statement} --recovery-points {recovery_points}");
    let disk = match *profile == DeviceProfile::default() {
        true => String::new(),
        // There is no option for it.
        false => format!(", on a disk that is {}", profile.name),
    };
    format!("helios sim scripts {}{line} {sampled} --depth {depth} --seed {seed}{disk}", path.display())
}

impl SweepReport {
    /// Everything summed up.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { scripts: self.scripts.len(), ..Totals::default() };
        totals.explored.out_of_time = self.not_begun > 0;
        for ScriptReport { explored, statements, refused, unsupported, deviating, .. } in &self.scripts {
            totals.statements += statements;
            totals.refused += refused;
            totals.unsupported += unsupported.len();
            totals.deviating += deviating.len();
            totals.violations += explored.violations.len();
            totals.explored += explored.figures;
        }
        totals
    }

    /// Restarts per second of real time: images checked, and processes killed.
    pub fn restarts_per_second(&self) -> f64 {
        let Figures { distinct, kills, .. } = self.totals().explored;
        (distinct + kills) as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Whether every file was a script, and every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.unreadable.is_empty() && self.scripts.iter().all(|script| script.explored.violations.is_empty())
    }
}

impl fmt::Display for ScriptReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScriptReport { name, explored, statements, unsupported, .. } = self;
        write!(f, "{name}: {statements} statements, {explored}, {:.1} s", explored.elapsed.as_secs_f64())?;
        match unsupported.len() {
            0 => Ok(()),
            count => write!(f, "; {count} not supported"),
        }
    }
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for script in &self.scripts {
            for violation in &script.explored.violations {
                writeln!(f, "{}: {violation}", script.name)?;
            }
        }
        for unreadable in &self.unreadable {
            writeln!(f, "{unreadable}")?;
        }
        let Totals { scripts, statements, refused, unsupported, deviating, violations, explored } = self.totals();
        writeln!(
            f,
            "{scripts} scripts, {statements} statements ({refused} refused as they should be, {deviating} answered otherwise \
             than PostgreSQL; {unsupported} more are not supported)"
        )?;
        if self.not_begun > 0 {
            writeln!(f, "{} scripts were not begun", self.not_begun)?;
        }
        writeln!(f, "{explored}")?;
        let (seconds, rate) = (self.elapsed.as_secs_f64(), self.restarts_per_second());
        writeln!(f, "{violations} violations; {seconds:.1} s, {rate:.0} restarts/s")
    }
}
