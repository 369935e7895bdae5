//! Where there is no io_uring: systems other than Linux.

use std::path::Path;

use crate::os::OsDisk;
use crate::{ErrorKind, IoError, Result};

/// A ring that cannot be.
pub(crate) enum Uring {}

impl Uring {
    pub(crate) fn start() -> Result<Uring> {
        Err(IoError::new(ErrorKind::Unsupported, "set up io_uring"))
    }

    pub(crate) fn open(self, _path: &Path) -> Result<OsDisk> {
        match self {}
    }
}
