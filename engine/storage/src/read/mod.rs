//! Reading in order: sources, their merge, and the scan on top.
//!
//! ```text
//!   Scan     one version per key: the newest at the timestamp, live or not
//!   Merge    every version of every source, in one order
//!   Source   a memtable, a file of level 0, or a whole deeper level
//! ```
//!
//! Forwards, keys ascend and versions of a key come newest first; backwards everything is the exact reverse.

mod merge;
mod scan;
mod source;

pub(crate) use merge::Merge;
pub(crate) use source::{LevelCursor, Source};

pub use scan::Scan;
