//! A mutant: a patch, and what its header says of it.
//!
//! ```text
//! Broken: a batch of the log is written and not synced
//! Promise: an acknowledged commit survives every crash
//! Crate: helios-storage
//! Simulation: storage
//!
//! --- a/engine/storage/src/log/writer.rs
//! +++ b/engine/storage/src/log/writer.rs
//! ...
//! ```

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::simulation::Simulation;

/// A patch with its header.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The file's name without its ending: `01-log-not-synced`.
    pub name: String,
    /// The patch.
    pub path: PathBuf,
    /// What is broken.
    pub broken: String,
    /// Which promise dies of it.
    pub promise: String,
    /// The crate that it changes.
    pub package: String,
    /// The simulation that is expected to see it.
    pub expected: Simulation,
    /// Files that it changes, relative to the workspace.
    pub files: Vec<PathBuf>,
}

/// The file that a line of a patch names: one that it changes, adds or removes.
fn file(line: &str) -> Option<&str> {
    line.strip_prefix("--- a/").or_else(|| line.strip_prefix("+++ b/"))
}

impl Mutant {
    /// Reads a patch.
    pub fn read(path: &Path) -> io::Result<Mutant> {
        let text = std::fs::read_to_string(path)?;
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
        let field = |name: &str| {
            let line =
                text.lines().take_while(|line| !line.starts_with("--- ")).find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
                .ok_or_else(|| invalid(format!("the header has no line \"{name}\"")))
        };
        let expected = field("Simulation:")?;
        Ok(Mutant {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            path: path.to_owned(),
            broken: field("Broken:")?,
            promise: field("Promise:")?,
            package: field("Crate:")?,
            expected: Simulation::named(&expected)
                .ok_or_else(|| invalid(format!("no simulation is called {expected}")))?,
            files: BTreeSet::from_iter(text.lines().filter_map(file)).into_iter().map(PathBuf::from).collect(),
        })
    }

    /// Every patch of a directory, by name.
    pub fn read_all(directory: &Path) -> io::Result<Vec<Mutant>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            paths.push(entry?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
        paths.sort();
        paths.iter().map(|path| Mutant::read(path)).collect()
    }
}

/// `count` of the mutants, drawn by the hash of a commit: each commit tries others.
pub fn draw(mutants: Vec<Mutant>, commit: &str, count: usize) -> Vec<Mutant> {
    let mut left = mutants;
    let mut state =
        commit.bytes().take(16).fold(0_u64, |state, digit| state.wrapping_mul(31).wrapping_add(digit.into()));
    let mut drawn = Vec::new();
    while drawn.len() < count && !left.is_empty() {
        // A step of SplitMix64, so that neighbouring states draw differently.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn.push(left.swap_remove(((mixed >> 32) % left.len() as u64) as usize));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patches() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("patches")
    }

    #[test]
    fn every_patch_says_what_it_breaks_and_changes_something() {
        let mutants = Mutant::read_all(&patches()).expect("the patches are readable");
        assert!(mutants.len() >= 30, "{} mutants", mutants.len());
        for mutant in mutants {
            assert!(!mutant.files.is_empty(), "{}", mutant.name);
            assert!(mutant.files.iter().all(|file| file.starts_with("engine")), "{}", mutant.name);
        }
    }

    #[test]
    fn a_commit_draws_its_own_mutants() {
        let all = || Mutant::read_all(&patches()).expect("the patches are readable");
        let names = |commit: &str| draw(all(), commit, 2).into_iter().map(|mutant| mutant.name).collect::<Vec<_>>();
        let one = names("69d6c2ff0a4f3a0e");
        assert_eq!(one.len(), 2);
        assert_ne!(one[0], one[1]);
        assert_eq!(one, names("69d6c2ff0a4f3a0e"));
        assert!(["e318609", "2271590", "bd9a7c1"].iter().any(|commit| names(commit) != one));
        assert_eq!(draw(all(), "e318609", 999).len(), all().len());
    }
}
