//! Scripts of others, used in place and never copied into the project.

use std::path::{Path, PathBuf};

/// Where they are: `HELIOS_CORPORA`, or `../shared/corpora` beside the workspace; `None` when there is nothing there.
#[must_use]
pub fn directory() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let path = match std::env::var_os("HELIOS_CORPORA") {
        Some(path) => workspace.join(path),
        None => workspace.join("../shared/corpora"),
    };
    path.is_dir().then_some(path)
}

/// SQLite's sqllogictest scripts of these names.
#[must_use]
pub fn sqlite(names: &[&str]) -> Option<Vec<PathBuf>> {
    let folder = directory()?.join("sqlite-slt");
    folder.is_dir().then(|| names.iter().map(|name| folder.join(name)).collect())
}
