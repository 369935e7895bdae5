//! A disk as one incarnation of a node has it open: [`helios_env::Disk`].
//!
//! An operation is admitted (it may be the one before which the node crashes), waits for its latency, meets its
//! fault, takes effect, and completes. Once the incarnation has ended nothing is admitted, nothing takes effect and
//! nothing completes: a program that has crashed learns nothing more.

use std::sync::Arc;
use std::time::Duration;

use helios_env::{Disk, ErrorKind, File, FileLock, Instant, IoError, OpenOptions, Pending, Result, pending};

use super::file::SimFile;
use super::image::Ino;
use super::state::DiskState;
use super::{Admission, DiskCore, Timing};
use crate::choices::MILLION;
use crate::core::{Core, CrashKind, Incarnation};

use crate::faults::{FaultKind, Faults};
use crate::trace::Event;

pub(crate) struct Mount {
    pub(crate) core: Arc<Core>,
    pub(crate) disk: Arc<DiskCore>,
    pub(crate) incarnation: Arc<Incarnation>,
}

/// How much likelier the power fails when there is something to tear: such moments are rare, and most mistakes show only
/// in them.
const EXPOSED_TIMES: u32 = 10;

/// What an operation costs and whether it changes the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    Look,
    Read,
    Write,
    Sync,
}

/// An operation on its way: where it was submitted, and when.
pub(crate) struct Submitted<'a> {
    pub(crate) mount: &'a Mount,
    pub(crate) began: Instant,
    /// The task that submitted it.
    pub(crate) task: Option<u64>,
}

impl std::ops::Deref for Submitted<'_> {
    type Target = Mount;
    fn deref(&self) -> &Mount {
        self.mount
    }
}

impl Submitted<'_> {
    /// Tells the trace what came of it.
    pub(crate) fn trace(
        &self,
        operation: &'static str,
        path: &Arc<str>,
        ino: Option<Ino>,
        [offset, len, data]: [u64; 3],
        result: std::result::Result<u64, &IoError>,
    ) {
        let result = match result {
            Ok(n) => n as i64,
            Err(error) => -i64::from(error.errno().max(1)),
        };
        let (node, path, began, task) = (self.incarnation.node, path.clone(), self.began, self.task);
        self.core.record(Event::Io { node, operation, path, ino, task, began, offset, len, result, data });
    }
}

/// An operation whose world has ended.
pub(crate) fn never<T>() -> Pending<T> {
    pending().1
}

impl Mount {
    pub(crate) fn into_disk(self) -> Arc<dyn Disk> {
        Arc::new(MountedDisk(Arc::new(self)))
    }

    /// Whether the next operation takes place.
    pub(crate) fn admit(&self, changes: bool) -> bool {
        if self.incarnation.is_dead() {
            return false;
        }
        self.core.perhaps_pause(self.incarnation.node);
        match self.disk.admit(changes) {
            Admission::Granted if changes => {
                let cuts = self.core.faults.lock().enabled(FaultKind::PowerCut);
                let exposure = if cuts && self.disk.state.lock().is_exposed() { EXPOSED_TIMES } else { 1 };
                let ppm = |faults: &Faults, kind| match kind {
                    FaultKind::PowerCut => faults.ppm(kind).saturating_mul(exposure).min(MILLION / 4),
                    _ => faults.ppm(kind),
                };
                let kind = match self.core.draw_by("crash", &[FaultKind::PowerCut, FaultKind::ProcessKill], ppm) {
                    None => return true,
                    Some(FaultKind::ProcessKill) => CrashKind::Process,
                    Some(_) => CrashKind::Power,
                };
                self.core.request_crash(&self.incarnation, kind);
                false
            }
            Admission::Granted => true,
            Admission::Crash(kind) => {
                self.core.request_crash(&self.incarnation, kind);
                false
            }
        }
    }

    /// How long an operation on the file at `path` takes; `None` when it is done at once.
    pub(crate) fn latency(&self, cost: Cost, path: &str) -> Option<Duration> {
        let Timing::Delayed { read, write, sync } = self.disk.timing else { return None };
        let base = match cost {
            Cost::Look | Cost::Read => read,
            Cost::Write => write,
            Cost::Sync => sync,
        };
        let usual = base * (1 + self.core.choices.pick("disk.latency", 8) as u32);
        let spike = self.core.draw_at("disk.slow", &[FaultKind::LatencySpike, FaultKind::StuckIo], path);
        if let Some(kind) = spike {
            self.core.fired(kind);
        }
        Some(match spike {
            None => usual,
            Some(FaultKind::StuckIo) => Duration::from_secs(30),
            Some(_) => base * 1_000,
        })
    }

    /// Runs `perform` on the disk after the operation's latency, as if it were admitted already.
    pub(crate) fn after_latency<T: Send + 'static>(
        self: &Arc<Self>,
        cost: Cost,
        path: &str,
        perform: impl FnOnce(&Submitted<'_>, &mut DiskState) -> T + Send + 'static,
    ) -> Pending<T> {
        let (began, task) = (self.core.timeline.now(), self.core.executor.running());
        match self.latency(cost, path) {
            None => {
                let value = perform(&Submitted { mount: self, began, task }, &mut self.disk.state.lock());
                Pending::ready(value)
            }
            Some(latency) => {
                let (completer, pending) = pending();
                let mount = self.clone();
                let happen = move || {
                    if !mount.incarnation.is_dead() {
                        let value = perform(&Submitted { mount: &mount, began, task }, &mut mount.disk.state.lock());
                        completer.complete(value);
                    }
                };
                self.core.timeline.schedule(latency, Box::new(happen));
                pending
            }
        }
    }

    pub(crate) fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        cost: Cost,
        path: &str,
        changes: bool,
        perform: impl FnOnce(&Submitted<'_>, &mut DiskState) -> T + Send + 'static,
    ) -> Pending<T> {
        if self.admit(changes) { self.after_latency(cost, path, perform) } else { never() }
    }

    /// Fails a write-like operation that needs space, when the disk is or becomes full.
    pub(crate) fn no_space(&self, state: &mut DiskState, operation: &'static str) -> Result<()> {
        if state.full_for > 0 {
            state.full_for -= 1;
            return Err(IoError::from_errno(libc::ENOSPC, operation));
        }
        Ok(())
    }

    /// The disk becomes full, for a while.
    pub(crate) fn fill(&self, state: &mut DiskState, operation: &'static str) -> IoError {
        self.core.fired(FaultKind::NoSpace);
        state.full_for = self.core.choices.pick("disk.full for", 8) as u32;
        IoError::from_errno(libc::ENOSPC, operation)
    }

    /// Fails an operation on a file system that has shut down.
    pub(crate) fn alive(state: &DiskState, operation: &'static str) -> Result<()> {
        if state.shut_down { Err(IoError::from_errno(libc::EIO, operation)) } else { Ok(()) }
    }

    /// An operation on names: traced, with its path in the error.
    fn names<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        path: &str,
        [changes, needs_space]: [bool; 2],
        perform: impl FnOnce(&Submitted<'_>, &mut DiskState, &str) -> Result<T> + Send + 'static,
    ) -> Pending<Result<T>> {
        let owned: Arc<str> = path.into();
        let cost = if changes { Cost::Write } else { Cost::Look };
        self.submit(cost, path, changes, move |mount, state| {
            let path = owned;
            let result = mount.refuse_names(state, operation, &path, [changes, needs_space]);
            let result = result.and_then(|()| perform(mount, state, &path));
            mount.trace(operation, &path, None, [0; 3], result.as_ref().map(|_| 0));
            result.map_err(|error| error.at(&path))
        })
    }

    fn refuse_names(
        &self,
        state: &mut DiskState,
        operation: &'static str,
        path: &str,
        [changes, needs_space]: [bool; 2],
    ) -> Result<()> {
        if changes {
            Mount::alive(state, operation)?;
        }
        if needs_space {
            self.no_space(state, operation)?;
            if self.core.draw_at("disk.names", &[FaultKind::NoSpace], path).is_some() {
                return Err(self.fill(state, operation));
            }
        }
        Ok(())
    }
}

/// [`Mount`] behind a trait object; the pointer is shared with open files.
struct MountedDisk(Arc<Mount>);

impl Disk for MountedDisk {
    fn open(&self, path: &str, options: OpenOptions) -> Pending<Result<Arc<dyn File>>> {
        let creates = !self.0.incarnation.is_dead() && self.0.disk.state.lock().would_create(path, options);
        let mount = self.0.clone();
        self.0.names("open", path, [creates, creates], move |_, state, path| {
            let ino = state.open(path, options)?;
            let file: Arc<dyn File> = Arc::new(SimFile::new(mount, ino, options, path));
            Ok(file)
        })
    }

    fn rename(&self, from: &str, to: &str) -> Pending<Result<()>> {
        let to: Box<str> = to.into();
        self.0.names("rename", from, [true, true], move |_, state, from| state.rename(from, &to))
    }

    fn remove(&self, path: &str) -> Pending<Result<()>> {
        self.0.names("remove", path, [true, false], |_, state, path| state.remove(path))
    }

    fn list(&self, dir: &str) -> Pending<Result<Vec<String>>> {
        self.0.names("list", dir, [false, false], |_, state, dir| state.list(dir))
    }

    fn create_dir(&self, dir: &str) -> Pending<Result<()>> {
        self.0.names("create directory", dir, [true, true], |_, state, dir| state.create_dir(dir))
    }

    fn remove_dir(&self, dir: &str) -> Pending<Result<()>> {
        self.0.names("remove directory", dir, [true, false], |_, state, dir| state.remove_dir(dir))
    }

    fn sync_dir(&self, dir: &str) -> Pending<Result<()>> {
        let mount = &self.0;
        if !mount.admit(true) {
            return never();
        }
        let path: Arc<str> = dir.into();
        // What changes after this moment is not covered.
        let covered = mount.disk.state.lock().last_seq();
        mount.after_latency(Cost::Sync, dir, move |mount, state| {
            let result = Mount::alive(state, "sync directory").and_then(|()| state.find_dir(&path)).and_then(|dir| {
                if mount.core.fault_at(FaultKind::SyncError, &path) {
                    state.shut_down |= state.profile.failed_sync == super::FailedSync::ShutsDown;
                    return Err(IoError::from_errno(libc::EIO, "sync directory"));
                }
                state.sync_dir(dir, covered);
                Ok(())
            });
            mount.trace("sync directory", &path, None, [0; 3], result.as_ref().map(|()| 0));
            result.map_err(|error| error.at(&path))
        })
    }

    fn lock(&self, path: &str) -> Pending<Result<Box<dyn FileLock>>> {
        let options = OpenOptions { write: true, create: true, ..OpenOptions::default() };
        let creates = !self.0.incarnation.is_dead() && self.0.disk.state.lock().would_create(path, options);
        let mount = self.0.clone();
        self.0.names("lock", path, [creates, creates], move |_, state, path| {
            let ino = state.open(path, options)?;
            if state.locks.iter().any(|(locked, _)| *locked == ino) {
                state.close(ino);
                return Err(IoError::new(ErrorKind::Locked, "lock"));
            }
            state.locks.push((ino, mount.incarnation.number));
            let lock: Box<dyn FileLock> = Box::new(SimLock { mount, ino });
            Ok(lock)
        })
    }

    fn describe(&self) -> String {
        format!("simulated disk of {}", self.0.disk.name)
    }
}

struct SimLock {
    mount: Arc<Mount>,
    ino: u32,
}

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        if !self.mount.incarnation.is_dead() {
            let mut state = self.mount.disk.state.lock();
            state.locks.retain(|held| *held != (self.ino, self.mount.incarnation.number));
            state.close(self.ino);
        }
    }
}
