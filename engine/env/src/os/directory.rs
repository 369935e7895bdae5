//! Operations on directory entries, as blocking system calls relative to the root's descriptor, which goes on working
//! when somebody renames the root or the process changes its working directory.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::operation::{Handle, errno_of, sync_fd};
use crate::path::{ancestors, check_directory, check_entry};
use crate::{ErrorKind, FileLock, IoError, OpenOptions, Result, SyncMode};

/// What we create is ours alone.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
const DIRECTORY_MODE: Mode = Mode::RWXU;

/// The directory that a disk owns.
pub(super) struct Root {
    fd: OwnedFd,
    pub(super) path: PathBuf,
}

/// An open file's descriptor locked with `flock`, which locks out other descriptors of this process as well.
struct LockedFile(#[expect(dead_code, reason = "closing it unlocks")] OwnedFd);

impl FileLock for LockedFile {}

fn failed(errno: Errno, operation: &'static str, path: &str) -> IoError {
    IoError::from_errno(errno_of(errno), operation).at(path)
}

fn is_directory(mode: rustix::fs::RawMode) -> bool {
    FileType::from_raw_mode(mode) == FileType::Directory
}

impl Root {
    /// Opens the directory `path`, creating it when it is missing.
    pub(super) fn open(path: &Path) -> Result<Root> {
        let error = |errno: i32, operation: &'static str, path: &Path| {
            IoError::from_errno(errno, operation).at(&path.display().to_string())
        };
        let path = std::path::absolute(path)
            .map_err(|failed| error(failed.raw_os_error().unwrap_or(libc::EINVAL), "open directory", path))?;
        let missing: Vec<&Path> = path.ancestors().take_while(|part| !part.exists()).collect();
        for part in missing.into_iter().rev() {
            match rustix::fs::mkdir(part, DIRECTORY_MODE) {
                // Somebody else may be faster.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(error(errno_of(errno), "create directory", part)),
            }
            let parent = part.parent().expect("the root directory is never missing");
            open_directory(parent)
                .and_then(|fd| sync_fd(fd.as_fd(), SyncMode::All))
                .map_err(|errno| error(errno_of(errno), "sync directory", parent))?;
        }
        let fd = open_directory(&path).map_err(|errno| error(errno_of(errno), "open directory", &path))?;
        Ok(Root { fd, path })
    }

    /// Opens a file; with O_DIRECT if `direct`.
    pub(super) fn open_file(&self, path: &str, options: OpenOptions, direct: bool) -> Result<Arc<Handle>> {
        const OPERATION: &str = "open";
        check_entry(path, OPERATION)?;
        let mut flags = OFlags::CLOEXEC | if options.write { OFlags::RDWR } else { OFlags::RDONLY };
        flags.set(OFlags::CREATE, options.create || options.create_new);
        flags.set(OFlags::EXCL, options.create_new);
        #[cfg(target_os = "linux")]
        flags.set(OFlags::DIRECT, direct);
        let fd = retry_on_intr(|| rustix::fs::openat(&self.fd, path, flags, FILE_MODE))
            .map_err(|errno| failed(errno, OPERATION, path))?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| failed(errno, OPERATION, path))?;
        if is_directory(stat.st_mode) {
            return Err(failed(Errno::ISDIR, OPERATION, path));
        }
        Ok(Arc::new(Handle::new(fd, path, direct)))
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        const OPERATION: &str = "rename";
        check_entry(from, OPERATION)?;
        check_entry(to, OPERATION)?;
        rustix::fs::renameat(&self.fd, from, &self.fd, to).map_err(|errno| failed(errno, OPERATION, from))
    }

    pub(super) fn remove(&self, path: &str) -> Result<()> {
        const OPERATION: &str = "remove";
        check_entry(path, OPERATION)?;
        match rustix::fs::unlinkat(&self.fd, path, AtFlags::empty()) {
            // What POSIX says about a directory, and Darwin does.
            Err(Errno::PERM) if self.is_directory(path) => Err(failed(Errno::ISDIR, OPERATION, path)),
            result => result.map_err(|errno| failed(errno, OPERATION, path)),
        }
    }

    pub(super) fn list(&self, dir: &str) -> Result<Vec<String>> {
        const OPERATION: &str = "list";
        check_directory(dir, OPERATION)?;
        let failed = |errno| failed(errno, OPERATION, dir);
        let fd = self.open_directory(dir).map_err(failed)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A name that is not UTF-8 is none of ours; it is listed so that whoever asks sees something foreign.
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn create_dir(&self, dir: &str) -> Result<()> {
        const OPERATION: &str = "create directory";
        check_directory(dir, OPERATION)?;
        for part in ancestors(dir).chain((!dir.is_empty()).then_some(dir)) {
            match rustix::fs::mkdirat(&self.fd, part, DIRECTORY_MODE) {
                Ok(()) => {}
                Err(Errno::EXIST) if self.is_directory(part) => {}
                Err(Errno::EXIST) => return Err(failed(Errno::NOTDIR, OPERATION, dir)),
                Err(errno) => return Err(failed(errno, OPERATION, dir)),
            }
        }
        Ok(())
    }

    pub(super) fn remove_dir(&self, dir: &str) -> Result<()> {
        const OPERATION: &str = "remove directory";
        check_entry(dir, OPERATION)?;
        rustix::fs::unlinkat(&self.fd, dir, AtFlags::REMOVEDIR).map_err(|errno| match errno {
            // POSIX leaves file systems the choice.
            Errno::EXIST => failed(Errno::NOTEMPTY, OPERATION, dir),
            errno => failed(errno, OPERATION, dir),
        })
    }

    pub(super) fn sync_dir(&self, dir: &str) -> Result<()> {
        const OPERATION: &str = "sync directory";
        check_directory(dir, OPERATION)?;
        self.open_directory(dir)
            .and_then(|fd| sync_fd(fd.as_fd(), SyncMode::All))
            .map_err(|errno| failed(errno, OPERATION, dir))
    }

    pub(super) fn lock(&self, path: &str) -> Result<Box<dyn FileLock>> {
        const OPERATION: &str = "lock";
        check_entry(path, OPERATION)?;
        let failed = |errno| failed(errno, OPERATION, path);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        loop {
            let fd = retry_on_intr(|| rustix::fs::openat(&self.fd, path, flags, FILE_MODE)).map_err(failed)?;
            match retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(IoError::new(ErrorKind::Locked, OPERATION).at(path)),
                Err(errno) => return Err(failed(errno)),
            }
            // Locked is the inode; is it still the one of that name? If somebody replaced the file, begin again.
            let locked = rustix::fs::fstat(&fd).map_err(failed)?;
            match rustix::fs::statat(&self.fd, path, AtFlags::empty()) {
                Ok(named) if (named.st_dev, named.st_ino) == (locked.st_dev, locked.st_ino) => {
                    return Ok(Box::new(LockedFile(fd)));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    fn is_directory(&self, path: &str) -> bool {
        rustix::fs::statat(&self.fd, path, AtFlags::empty()).is_ok_and(|stat| is_directory(stat.st_mode))
    }

    fn open_directory(&self, dir: &str) -> rustix::io::Result<OwnedFd> {
        let dir = if dir.is_empty() { "." } else { dir };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        retry_on_intr(|| rustix::fs::openat(&self.fd, dir, flags, Mode::empty()))
    }
}

fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))
}
