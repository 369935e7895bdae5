//! An open file, and the faults that its reads, writes and syncs meet.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use helios_env::{Buf, ErrorKind, File, Io, IoError, OpenOptions, Pending, Result, SyncMode, pending};

use super::FailedSync;
use super::image::Ino;
use super::mount::{Cost, Mount, Submitted, never};
use super::overlay::Damage;
use super::picture::DiskEvent;
use super::profile::SECTOR;
use super::state::{DiskState, InFlight};
use crate::choices::Choices;
use crate::faults::FaultKind;

const READ_FAULTS: [FaultKind; 6] = [
    FaultKind::ShortRead,
    FaultKind::ReadError,
    FaultKind::BitRot,
    FaultKind::TransitRot,
    FaultKind::LatentSector,
    FaultKind::MisdirectedRead,
];

const WRITE_FAULTS: [FaultKind; 5] = [
    FaultKind::ShortWrite,
    FaultKind::WriteError,
    FaultKind::NoSpace,
    FaultKind::MisdirectedWrite,
    FaultKind::StaleRead,
];

/// The longest file, in bytes; as ext4's.
const LEN_MAX: u64 = 16 << 40;

pub(crate) struct SimFile {
    mount: Arc<Mount>,
    at: Place,
    options: OpenOptions,
}

/// Which file, for the operation under way.
#[derive(Clone)]
struct Place {
    ino: Ino,
    path: Arc<str>,
    /// Operations move whole multiples of this many bytes.
    grain: u64,
}

impl SimFile {
    pub(crate) fn new(mount: Arc<Mount>, ino: Ino, options: OpenOptions, path: &str) -> SimFile {
        // The rest of a short write is no multiple of more than a sector.
        let grain = if options.direct { SECTOR } else { 1 };
        SimFile { mount, at: Place { ino, path: path.into(), grain }, options }
    }

    fn refuse(&self, operation: &'static str, offset: u64, len: usize, writes: bool) -> Result<()> {
        let misaligned = !offset.is_multiple_of(self.at.grain) || !(len as u64).is_multiple_of(self.at.grain);
        if writes && !self.options.write {
            Err(IoError::new(ErrorKind::PermissionDenied, operation).at(&self.at.path))
        } else if misaligned || offset.checked_add(len as u64).is_none_or(|end| end > LEN_MAX) {
            Err(IoError::from_errno(libc::EINVAL, operation).at(&self.at.path))
        } else {
            Ok(())
        }
    }

    /// Registers a write as under way: should the node crash now, it may have happened in part.
    fn launch(&self, offset: u64, buf: &Buf) -> u64 {
        let id = self.mount.disk.next_operation.fetch_add(1, Relaxed);
        let (ino, task) = (self.at.ino, self.mount.core.executor.running());
        let mut state = self.mount.disk.state.lock();
        state.in_flight.push(InFlight { id, ino, offset, data: Arc::from(&buf[..]) });
        state.tell(|_| DiskEvent::Submitted { write: id, task, ino, offset, len: buf.len() as u64 });
        id
    }

    /// `perform`, with the file kept open until it is done.
    fn holding<T>(
        &self,
        perform: impl FnOnce(&Submitted<'_>, &mut DiskState) -> T + Send + 'static,
    ) -> impl FnOnce(&Submitted<'_>, &mut DiskState) -> T + Send + 'static {
        let ino = self.at.ino;
        if !self.mount.incarnation.is_dead() {
            self.mount.disk.state.lock().hold(ino);
        }
        move |mount, state| {
            let value = perform(mount, state);
            state.close(ino);
            value
        }
    }

    fn change(
        &self,
        operation: &'static str,
        len: u64,
        needs_space: bool,
        perform: impl FnOnce(&mut DiskState, Ino) + Send + 'static,
    ) -> Pending<Result<()>> {
        if let Err(error) = self.refuse(operation, len.next_multiple_of(self.at.grain), 0, true) {
            return Pending::ready(Err(error));
        }
        let at = self.at.clone();
        let change = self.holding(move |mount, state| {
            let result = at.refuse_change(mount, state, operation, needs_space);
            if result.is_ok() {
                perform(state, at.ino);
            }
            mount.trace(operation, &at.path, Some(at.ino), [0, len, 0], result.as_ref().map(|()| len));
            result.map_err(|error| error.at(&at.path))
        });
        self.mount.submit(Cost::Write, &self.at.path, true, change)
    }
}

impl File for SimFile {
    fn read_at(&self, offset: u64, buf: Buf) -> Pending<Io> {
        if let Err(error) = self.refuse("read", offset, buf.len(), false) {
            return Pending::ready(Io { result: Err(error), buf });
        }
        let at = self.at.clone();
        let read = self.holding(move |mount, state| at.read(mount, state, offset, buf));
        self.mount.submit(Cost::Read, &self.at.path, false, read)
    }

    fn write_at(&self, offset: u64, buf: Buf) -> Pending<Io> {
        if let Err(error) = self.refuse("write", offset, buf.len(), true) {
            return Pending::ready(Io { result: Err(error), buf });
        }
        if !self.mount.admit(true) {
            return never();
        }
        let id = self.launch(offset, &buf);
        let at = self.at.clone();
        let write = self.holding(move |mount, state| Io { result: at.land(mount, state, id), buf });
        self.mount.after_latency(Cost::Write, &self.at.path, write)
    }

    fn write_at_and_sync(&self, offset: u64, buf: Buf) -> Pending<Io> {
        if let Err(error) = self.refuse("write", offset, buf.len(), true) {
            return Pending::ready(Io { result: Err(error), buf });
        }
        if !self.mount.admit(true) {
            return never();
        }
        let id = self.launch(offset, &buf);
        let at = self.at.clone();
        let mount = &self.mount;
        let (began, task) = (mount.core.timeline.now(), mount.core.executor.running());
        // Two events, and the node may crash between them.
        match mount.latency(Cost::Write, &at.path) {
            None => {
                let submitted = Submitted { mount, began, task };
                let (result, covered) = at.land_for_sync(&submitted, id);
                if result != Ok(buf.len()) {
                    return Pending::ready(Io { result, buf });
                }
                if !mount.admit(true) {
                    return never();
                }
                let synced = at.sync(&submitted, &mut mount.disk.state.lock(), covered);
                Pending::ready(Io { result: synced.map(|()| buf.len()), buf })
            }
            Some(latency) => {
                let (completer, pending) = pending();
                let later = mount.clone();
                // Closed where the operation ends, below.
                mount.disk.state.lock().hold(at.ino);
                let write = move || {
                    if later.incarnation.is_dead() {
                        return;
                    }
                    let (result, covered) = at.land_for_sync(&Submitted { mount: &later, began, task }, id);
                    if result != Ok(buf.len()) {
                        later.disk.state.lock().close(at.ino);
                        completer.complete(Io { result, buf });
                    } else if later.admit(true) {
                        let mount = later.clone();
                        let began = mount.core.timeline.now();
                        let latency = mount.latency(Cost::Sync, &at.path).unwrap_or_default();
                        let sync = move || {
                            if !later.incarnation.is_dead() {
                                let submitted = Submitted { mount: &later, began, task };
                                let mut state = later.disk.state.lock();
                                let synced = at.sync(&submitted, &mut state, covered);
                                state.close(at.ino);
                                drop(state);
                                completer.complete(Io { result: synced.map(|()| buf.len()), buf });
                            }
                        };
                        mount.core.timeline.schedule(latency, Box::new(sync));
                    }
                };
                mount.core.timeline.schedule(latency, Box::new(write));
                pending
            }
        }
    }

    fn sync(&self, _mode: SyncMode) -> Pending<Result<()>> {
        if !self.mount.admit(true) {
            return never();
        }
        // A write that completes after this moment is not covered.
        let covered = self.mount.disk.state.lock().last_seq();
        let at = self.at.clone();
        let sync = self.holding(move |mount, state| at.sync(mount, state, covered));
        self.mount.after_latency(Cost::Sync, &self.at.path, sync)
    }

    fn allocate(&self, len: u64) -> Pending<Result<()>> {
        self.change("allocate", len, true, move |state, ino| state.allocate(ino, len))
    }

    fn truncate(&self, len: u64) -> Pending<Result<()>> {
        self.change("truncate", len, false, move |state, ino| state.truncate(ino, len))
    }

    fn len(&self) -> Pending<Result<u64>> {
        if !self.mount.admit(false) {
            return never();
        }
        Pending::ready(Ok(self.mount.disk.state.lock().len(self.at.ino)))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if !self.mount.incarnation.is_dead() {
            self.mount.disk.state.lock().close(self.at.ino);
        }
    }
}

impl Place {
    fn refuse_change(
        &self,
        mount: &Mount,
        state: &mut DiskState,
        operation: &'static str,
        needs_space: bool,
    ) -> Result<()> {
        Mount::alive(state, operation)?;
        let faults: &[FaultKind] = if needs_space {
            mount.no_space(state, operation)?;
            &[FaultKind::WriteError, FaultKind::NoSpace]
        } else {
            &[FaultKind::WriteError]
        };
        match mount.core.draw_at("disk.change", faults, &self.path) {
            None => Ok(()),
            Some(FaultKind::NoSpace) => Err(mount.fill(state, operation)),
            Some(kind) => {
                mount.core.fired(kind);
                Err(IoError::from_errno(libc::EIO, operation))
            }
        }
    }

    /// Fewer bytes than `len`, at least one grain, or `len` when that is impossible.
    fn shorter(&self, mount: &Mount, len: usize) -> usize {
        let grain = self.grain as usize;
        match len / grain {
            0 | 1 => len,
            grains => (grains - 1 - mount.core.choices.pick("disk.short", grains - 1)) * grain,
        }
    }

    fn read(&self, mount: &Submitted<'_>, state: &mut DiskState, offset: u64, mut buf: Buf) -> Io {
        let result = self.read_into(mount, state, offset, &mut buf).map_err(|error| error.at(&self.path));
        let moved = result.as_ref().map_or(0, |n| *n);
        let data = mount.core.trace.digest(&buf[..moved]);
        mount.trace(
            "read",
            &self.path,
            Some(self.ino),
            [offset, buf.len() as u64, data],
            result.as_ref().map(|n| *n as u64),
        );
        Io { result, buf }
    }

    fn read_into(&self, mount: &Mount, state: &mut DiskState, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let n = state.read(self.ino, offset, buf)?;
        if n == 0 {
            return Ok(0);
        }
        let core = &mount.core;
        let choices = &core.choices;
        let error = || IoError::from_errno(libc::EIO, "read");
        let Some(fault) = core.draw_at("disk.read", &READ_FAULTS, &self.path) else { return Ok(n) };
        match fault {
            FaultKind::ShortRead => {
                let short = self.shorter(mount, n);
                if short < n {
                    core.fired(fault);
                }
                Ok(short)
            }
            FaultKind::ReadError => {
                core.fired(fault);
                Err(error())
            }
            FaultKind::TransitRot => {
                core.fired(fault);
                buf[rotten_byte(choices, &buf[..n])] ^= 1 << choices.pick("disk.rotten bit", 8);
                Ok(n)
            }
            FaultKind::BitRot => {
                core.fired(fault);
                let at = offset + rotten_byte(choices, &buf[..n]) as u64;
                let mut sector = state.sector(self.ino, at / SECTOR);
                sector[(at % SECTOR) as usize] ^= 1 << choices.pick("disk.rotten bit", 8);
                state.damage(self.ino, at / SECTOR, Damage::Shows(Box::new(sector)));
                state.read(self.ino, offset, buf)
            }
            FaultKind::LatentSector => {
                core.fired(fault);
                let at = offset + choices.pick("disk.rotten byte", n) as u64;
                state.damage(self.ino, at / SECTOR, Damage::Unreadable);
                Err(error())
            }
            _ => {
                let Some((ino, elsewhere)) = state.elsewhere(choices) else { return Ok(n) };
                let mut other = vec![0; n];
                state.read(ino, elsewhere, &mut other)?;
                if other != buf[..n] {
                    core.fired(fault);
                    buf[..n].copy_from_slice(&other);
                }
                Ok(n)
            }
        }
    }

    /// A write arrives at the disk.
    fn land(&self, mount: &Submitted<'_>, state: &mut DiskState, id: u64) -> Result<usize> {
        let index = state.in_flight.iter().position(|w| w.id == id).expect("a write under way is registered");
        let InFlight { offset, data, .. } = state.in_flight.remove(index);
        state.tell(|_| DiskEvent::Landed { write: id });
        let (len, hash) = (data.len() as u64, mount.core.trace.digest(&data));
        let result = self.write(mount, state, offset, data).map_err(|error| error.at(&self.path));
        mount.trace("write", &self.path, Some(self.ino), [offset, len, hash], result.as_ref().map(|n| *n as u64));
        result
    }

    /// The same, and up to where a sync must go to cover it.
    fn land_for_sync(&self, mount: &Submitted<'_>, id: u64) -> (Result<usize>, u64) {
        let mut state = mount.disk.state.lock();
        let result = self.land(mount, &mut state, id);
        (result, state.last_seq())
    }

    fn write(&self, mount: &Mount, state: &mut DiskState, offset: u64, data: Arc<[u8]>) -> Result<usize> {
        Mount::alive(state, "write")?;
        mount.no_space(state, "write")?;
        let core = &mount.core;
        let len = data.len();
        let fault = if data.is_empty() { None } else { core.draw_at("disk.write", &WRITE_FAULTS, &self.path) };
        let Some(fault) = fault else {
            state.write(self.ino, offset, data);
            return Ok(len);
        };
        match fault {
            FaultKind::ShortWrite => {
                let short = self.shorter(mount, len);
                if short < len {
                    core.fired(fault);
                }
                state.write(self.ino, offset, data[..short].into());
                Ok(short)
            }
            FaultKind::WriteError => {
                core.fired(fault);
                // How much of it was made is anybody's guess.
                let made = self.shorter(mount, len);
                if made < len && core.choices.pick("disk.failed write", 2) == 1 {
                    state.write(self.ino, offset, data[..made].into());
                }
                Err(IoError::from_errno(libc::EIO, "write"))
            }
            FaultKind::NoSpace => {
                let full = mount.fill(state, "write");
                // What still fits is written: the write is short, and the next one fails.
                let fits = if core.choices.pick("disk.last space", 2) == 1 { self.shorter(mount, len) } else { len };
                if fits == len {
                    return Err(full);
                }
                state.full_for = state.full_for.max(1);
                state.write(self.ino, offset, data[..fits].into());
                Ok(fits)
            }
            _ => {
                core.fired(fault);
                let sectors = offset / SECTOR..(offset + len as u64).div_ceil(SECTOR);
                let before: Vec<_> = sectors.clone().map(|s| state.sector(self.ino, s)).collect();
                state.write(self.ino, offset, data.clone());
                for (sector, old) in sectors.zip(before) {
                    state.damage(self.ino, sector, Damage::Shows(Box::new(old)));
                }
                if fault == FaultKind::MisdirectedWrite
                    && let Some((victim, elsewhere)) = state.elsewhere(&core.choices)
                {
                    for (sector, bytes) in (elsewhere / SECTOR..).zip(data.chunks(SECTOR as usize)) {
                        let mut shown = state.sector(victim, sector);
                        shown[..bytes.len()].copy_from_slice(bytes);
                        state.damage(victim, sector, Damage::Shows(Box::new(shown)));
                    }
                }
                Ok(len)
            }
        }
    }

    fn sync(&self, mount: &Submitted<'_>, state: &mut DiskState, covered: u64) -> Result<()> {
        let result = Mount::alive(state, "sync").and_then(|()| {
            if !mount.core.fault_at(FaultKind::SyncError, &self.path) {
                state.sync(self.ino, covered);
                return Ok(());
            }
            let choices = &mount.core.choices;
            state.failed_sync(self.ino, covered, || choices.pick("disk.failed sync", 4) == 1);
            state.shut_down |= state.profile.failed_sync == FailedSync::ShutsDown;
            Err(IoError::from_errno(libc::EIO, "sync"))
        });
        mount.trace("sync", &self.path, Some(self.ino), [0; 3], result.as_ref().map(|()| 0));
        result.map_err(|error| error.at(&self.path))
    }
}

/// Which of these bytes rots. Files are padded, and padding that rots changes nothing: half of what would hit it hits one of
/// the bytes before it.
fn rotten_byte(choices: &Choices, bytes: &[u8]) -> usize {
    let at = choices.pick("disk.rotten byte", bytes.len());
    if bytes[at] != 0 || choices.pick("disk.rotten padding", 2) == 0 {
        return at;
    }
    let used = bytes[..at].iter().rposition(|byte| *byte != 0);
    used.map_or(at, |last| last - choices.pick("disk.rotten used byte", (last + 1).min(512)))
}
