//! A failure in a directory: everything needed to see it again, and to understand it without running anything.
//!
//! ```text
//!   target/sim/failures/NAME/
//!     bundle.txt       workload, seed, what went wrong, the command that replays it
//!     decisions.txt    every decision of the failing run
//!     minimal.txt      the smallest decisions found that still fail
//!     trace.txt        what happened, in the minimal run
//!     life.html        the same to be looked at: open it in a browser (see crate::viewer)
//!     durable/         the disk before the last crash: what was certainly on it, as real files
//!     pending.txt      and the changes that were not durable
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::choices::DecisionLog;
use crate::disk::PowerCut;
use crate::trace::{Entry, render};

/// What a bundle is made of.
pub(super) struct Contents<'a> {
    pub(super) swarm: &'a str,
    pub(super) workload: &'a str,
    pub(super) seed: u64,
    pub(super) violation: String,
    pub(super) command: &'a str,
    pub(super) notes: &'a [String],
    pub(super) decisions: &'a DecisionLog,
    pub(super) minimal: &'a DecisionLog,
    pub(super) trace: &'a [Entry],
    pub(super) page: &'a str,
    pub(super) last_crash: Option<&'a PowerCut>,
}

/// A bundle read back.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The workload that failed.
    pub workload: String,
    /// The seed with which it did.
    pub seed: u64,
    /// What to type to see it again.
    pub command: String,
    /// Every decision of the failing run.
    pub decisions: DecisionLog,
    /// The smallest decisions found that still fail.
    pub minimal: DecisionLog,
}

impl Contents<'_> {
    pub(super) fn write(&self, directory: &Path) -> std::io::Result<()> {
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
        std::fs::create_dir_all(directory)?;
        let Contents { swarm, workload, seed, violation, command, .. } = self;
        let mut text = format!("swarm = {swarm}\nworkload = {workload}\nseed = {seed}\nreplay = {command}\n");
        for note in self.notes {
            writeln!(text, "note = {note}").expect("writing to a string");
        }
        writeln!(text, "\n{violation}").expect("writing to a string");
        std::fs::write(directory.join("bundle.txt"), text)?;
        std::fs::write(directory.join("decisions.txt"), self.decisions.to_text())?;
        std::fs::write(directory.join("minimal.txt"), self.minimal.to_text())?;
        std::fs::write(directory.join("trace.txt"), render(self.trace))?;
        std::fs::write(directory.join("life.html"), self.page)?;
        if let Some(cut) = self.last_crash {
            cut.durable().export(&directory.join("durable"))?;
            std::fs::write(directory.join("pending.txt"), cut.describe().join("\n") + "\n")?;
        }
        Ok(())
    }
}

impl Bundle {
    /// Reads a bundle's directory.
    pub fn read(directory: &Path) -> std::io::Result<Bundle> {
        let invalid = |what: String| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let log = |name: &str| {
            let text = std::fs::read_to_string(directory.join(name))?;
            DecisionLog::from_text(&text).map_err(|error| invalid(format!("{name}: {error}")))
        };
        let text = std::fs::read_to_string(directory.join("bundle.txt"))?;
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.ok_or_else(|| invalid(format!("bundle.txt does not name its {name}")))
        };
        Ok(Bundle {
            workload: field("workload")?.to_owned(),
            seed: field("seed")?.parse().map_err(|_| invalid("the seed is not a number".to_owned()))?,
            command: field("replay")?.to_owned(),
            decisions: log("decisions.txt")?,
            minimal: log("minimal.txt")?,
        })
    }
}

/// `target/sim/failures` of the workspace that the process runs in (the nearest directory above with a Cargo.lock).
pub fn failures_directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).unwrap_or_else(|| {
        let here = std::env::current_dir().unwrap_or_default();
        let root = here.ancestors().find(|directory| directory.join("Cargo.lock").exists());
        root.unwrap_or(&here).join("target")
    });
    target.join("sim").join("failures")
}
