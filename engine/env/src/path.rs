//! Paths inside the directory of a [`crate::Disk`].
//!
//! Relative, separated by `/`, without `.`, `..`, empty parts or NUL: what is checked here cannot leave the directory
//! by itself. Symbolic links that somebody put there are followed, as PostgreSQL's tablespaces would want.

use crate::{ErrorKind, IoError, Result};

/// Refuses what is not a path of a directory entry; the root is none.
pub(crate) fn check_entry(path: &str, operation: &'static str) -> Result<()> {
    if path.is_empty() {
        return Err(IoError::new(ErrorKind::Invalid, operation).at(path));
    }
    check_directory(path, operation)
}

/// Refuses what is not a path of a directory; `""` is the root.
pub(crate) fn check_directory(path: &str, operation: &'static str) -> Result<()> {
    let good = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if path.is_empty() || path.split('/').all(good) {
        Ok(())
    } else {
        Err(IoError::new(ErrorKind::Invalid, operation).at(path))
    }
}

/// Every directory above `path`, from the top, the root left out.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_leaves_the_directory() {
        for bad in ["/etc", "..", "a/../b", "a//b", "a/", "./a", "a\0b"] {
            assert_eq!(check_entry(bad, "open").expect_err(bad).kind(), ErrorKind::Invalid);
        }
        assert!(check_entry("", "open").is_err());
        assert!(check_directory("", "list").is_ok());
        assert!(check_entry("a/b.c/..d", "open").is_ok());
    }

    #[test]
    fn lists_ancestors_from_the_top() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(ancestors("a").count(), 0);
    }
}
