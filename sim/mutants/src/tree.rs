//! The tree that is broken: a copy of the tracked files, with a build directory of its own.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mutant::Mutant;

/// Where mutants are made and built.
#[derive(Debug)]
pub struct Tree {
    /// The workspace that is copied.
    pub workspace: PathBuf,
    /// The copy.
    pub directory: PathBuf,
    /// Cargo's target directory for it.
    pub build: PathBuf,
    /// What the simulations print.
    pub logs: PathBuf,
}

fn output(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(io::Error::other);
    }
    let what = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?}: {}", what.trim())))
}

/// The workspace that the process runs in.
pub fn workspace() -> io::Result<PathBuf> {
    let root = output(Command::new("git").args(["rev-parse", "--show-toplevel"]))?;
    Ok(PathBuf::from(root.trim_end()))
}

/// The hash of the commit that is checked out.
pub fn commit(workspace: &Path) -> io::Result<String> {
    let hash = output(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(workspace))?;
    Ok(hash.trim_end().to_owned())
}

impl Tree {
    /// Copies the tracked files of `workspace`, and removes from an older copy what is not tracked any more. Files that
    /// are the same are left alone, so that what was built of them is still good.
    pub fn copy(workspace: PathBuf) -> io::Result<Tree> {
        let home = workspace.join("target/mutants");
        let (directory, build, logs) = (home.join("tree"), home.join("build"), home.join("logs"));
        for made in [&directory, &build, &logs] {
            std::fs::create_dir_all(made)?;
        }
        let listing = output(Command::new("git").args(["ls-files", "-z"]).current_dir(&workspace))?;
        let tracked: BTreeSet<PathBuf> =
            listing.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
        let tree = Tree { workspace, directory, build, logs };
        for path in &tracked {
            tree.restore(path)?;
        }
        tree.remove_others(&tree.directory, &tracked)?;
        Ok(tree)
    }

    fn remove_others(&self, directory: &Path, tracked: &BTreeSet<PathBuf>) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            let relative = path.strip_prefix(&self.directory).expect("it is below the tree");
            if entry.file_type()?.is_dir() {
                self.remove_others(&path, tracked)?;
            } else if !tracked.contains(relative) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Makes a file the workspace's again.
    fn restore(&self, path: &Path) -> io::Result<()> {
        let (from, to) = (self.workspace.join(path), self.directory.join(path));
        // Tracked, and deleted without telling git yet; or added by a patch.
        if !from.exists() {
            return if to.exists() { std::fs::remove_file(&to) } else { Ok(()) };
        }
        let wanted = std::fs::read(&from)?;
        if std::fs::read(&to).is_ok_and(|there| there == wanted) {
            return Ok(());
        }
        std::fs::create_dir_all(to.parent().expect("a file is in a directory"))?;
        std::fs::copy(&from, &to).map(drop)
    }

    /// Breaks the tree.
    pub fn apply(&self, mutant: &Mutant) -> io::Result<()> {
        // The tree lies within the workspace's repository and is not of it: git must not look for one above.
        let ceiling = self.directory.parent().expect("the tree is in a directory");
        let mut apply = Command::new("git");
        apply.arg("apply").arg(&mutant.path).current_dir(&self.directory).env("GIT_CEILING_DIRECTORIES", ceiling);
        output(&mut apply).map(drop)
    }

    /// Makes it whole again.
    pub fn unapply(&self, mutant: &Mutant) -> io::Result<()> {
        mutant.files.iter().try_for_each(|path| self.restore(path))
    }
}
