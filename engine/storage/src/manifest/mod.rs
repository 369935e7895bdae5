//! The manifest: which files make up the tree, and what of the log they already hold.
//!
//! ```text
//!   manifest/0000000000000007.manifest
//!   ┌──────────────────┬────────────┬────────────┬─ ─ ─
//!   │ base, version 41 │ edit 41→42 │ edit 42→43 │          each at a multiple of 4096 bytes
//!   └──────────────────┴────────────┴────────────┴─ ─ ─
//! ```
//!
//! A *base* states everything; an *edit* states a change, and the version that it follows. An edit that does not follow
//! the version before it is refused. When edits have accumulated, a base is written under the next number: to a temporary
//! name, synced, renamed, the directory synced; then the older file is removed. Every open does that too: what could
//! be read may not be durable, and the files that it names are about to be relied upon.
//!
//! Reading stops at the first record that is not intact or does not follow. If an intact later record is there, the
//! manifest is damaged, which is fatal; otherwise the end was being written when the process died, and nothing was
//! built on it.
//!
//! An edit that fails for want of space leaves bytes that a later recovery might yet read. So nothing is appended behind
//! it: the next change is a new base, and until that stands, files that the failed edit names are not removed.

mod edit;
mod file;

pub(crate) use edit::{Edit, FileRecord, ManifestState};
pub(crate) use file::{EditError, Manifest, ManifestName};

/// Format version of manifests, in every record's header.
pub(crate) const MANIFEST_FORMAT: u32 = 1;
/// Where manifests are.
pub(crate) const MANIFEST_DIRECTORY: &str = "manifest";
