//! A disk that keeps exactly the promises of its [`DeviceProfile`], and fails in every way that the world's
//! [`crate::Faults`] allow.
//!
//! Seen by a program it is [`helios_env::Disk`]. Seen by a test it is a [`SimDisk`]: what is on it, what would be on
//! it after a power cut, how many operations it has seen, and whether it is damaged.
//!
//! * `content`: pages shared by copy-on-write; `image`: a whole disk made of them
//! * `state`: what is cached, pending and durable; the file system without failures
//! * `mount`, `file`: operations on their way, and the faults that meet them
//! * `crash`: what becomes of pending changes
//! * `overlay`: damage to the medium, kept apart from what was written
//! * `picture`: what a full trace is told of all this

mod content;
mod crash;
mod file;
mod image;
mod mount;
mod overlay;
mod picture;
mod profile;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use helios_env::sync::Mutex;

pub use crash::{Fate, PowerCut};

pub use image::DiskImage;
pub(crate) use mount::Mount;
pub(crate) use picture::Recorder;
pub use picture::{DiskEvent, FilePicture};
pub use profile::{Crash, DeviceProfile, FailedSync, Honesty, SECTOR, Timing};

use crate::choices::Choices;
use crate::core::CrashKind;
use crate::faults::FaultCounts;
use crate::trace::Event;
use overlay::Overlays;
use state::DiskState;

/// Called with the disk as a power cut would find it, before an operation that changes it.
pub(crate) type Observer = Box<dyn FnMut(&mut dyn FnMut() -> PowerCut) + Send>;

/// A node's disk, from the outside. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(pub(crate) Arc<DiskCore>);

pub(crate) struct DiskCore {
    pub(crate) name: String,
    pub(crate) state: Mutex<DiskState>,
    pub(crate) timing: Timing,
    events: AtomicU64,
    changes: AtomicU64,
    crash_at: Mutex<Option<(u64, CrashKind)>>,
    observer: Mutex<Option<Observer>>,
    last_crash: Mutex<Option<PowerCut>>,
    pub(crate) next_operation: AtomicU64,
}

/// What an operation is up against when it is submitted.
pub(crate) enum Admission {
    Granted,
    /// The node crashes before this operation.
    Crash(CrashKind),
}

impl SimDisk {
    pub(crate) fn new(name: String, image: &DiskImage, profile: DeviceProfile, timing: Timing) -> SimDisk {
        SimDisk(Arc::new(DiskCore {
            name,
            state: Mutex::new(DiskState::mount(image, profile)),
            timing,
            events: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            crash_at: Mutex::new(None),
            observer: Mutex::new(None),
            last_crash: Mutex::new(None),
            next_operation: AtomicU64::new(0),
        }))
    }

    /// I/O operations so far, reads included.
    pub fn io_events(&self) -> u64 {
        self.0.events.load(Relaxed)
    }

    /// Operations so far that change the disk or make a change durable: the points between which crash images differ.
    pub fn change_events(&self) -> u64 {
        self.0.changes.load(Relaxed)
    }

    /// Crashes the node just before the change event that comes after `more` further ones.
    pub fn crash_after(&self, more: u64, kind: CrashKind) {
        *self.0.crash_at.lock() = Some((self.change_events() + more, kind));
    }

    /// Takes [`SimDisk::crash_after`] back.
    pub fn cancel_crash(&self) {
        *self.0.crash_at.lock() = None;
    }

    /// Whether a power cut now could tear a write or leave a rename half done.
    pub fn is_exposed(&self) -> bool {
        self.0.state.lock().is_exposed()
    }

    /// The disk as a power cut would find it now.
    pub fn power_cut(&self) -> PowerCut {
        self.0.state.lock().power_cut()
    }

    /// The disk as the last power cut found it, before its fate was decided.
    pub fn last_crash(&self) -> Option<PowerCut> {
        self.0.last_crash.lock().clone()
    }

    /// What reads show now, as an image.
    pub fn image(&self) -> DiskImage {
        self.0.state.lock().cached_image()
    }

    /// Makes all sectors readable and true again, and lets a full or shut-down file system work.
    pub fn heal(&self) {
        let mut state = self.0.state.lock();
        state.overlays = Overlays::default();
        state.full_for = 0;
        state.shut_down = false;
        state.tell(|_| DiskEvent::Healed);
    }

    /// Puts another image in; nobody has the disk in use.
    pub(crate) fn replace(&self, image: &DiskImage) {
        let mut state = self.0.state.lock();
        let recorder = state.recorder.take();
        *state = DiskState::mount(image, state.profile.clone());
        state.recorder = recorder;
        state.tell_files();
    }

    /// Tells `recorder` from now on what becomes of every change.
    pub(crate) fn record(&self, recorder: Recorder) {
        let mut state = self.0.state.lock();
        state.recorder = Some(recorder);
        state.tell_files();
    }

    /// The disk of a killed process at that moment: what was pending still is, and reads show it.
    pub(crate) fn resume(&self, cut: &PowerCut) {
        let mut state = self.0.state.lock();
        let recorder = state.recorder.take();
        *state = DiskState::resume(cut, state.profile.clone());
        state.recorder = recorder;
        state.tell_files();
    }

    /// Another kind of device behind the same bytes.
    pub fn set_profile(&self, profile: DeviceProfile) {
        self.0.state.lock().profile = profile;
    }

    pub(crate) fn observe(&self, observer: Option<Observer>) {
        *self.0.observer.lock() = observer;
    }

    /// Decides what became of the unsynced changes; returns how many there were and how many were kept whole.
    pub(crate) fn resolve_power_cut(
        &self,
        crash: Crash,
        choices: &Choices,
        counts: &mut FaultCounts,
        record: impl Fn(Event),
    ) -> [usize; 2] {
        let cut = self.power_cut();
        let fates = cut.draw(crash, choices);
        self.0.state.lock().tell_resolved(&cut, &fates);
        for (change, fate) in cut.describe().into_iter().zip(&fates) {
            record(Event::Fate { change: change.into(), fate: *fate });
        }
        cut.count(&fates, counts);
        let image = cut.resolve(&fates);
        let kept = fates.iter().filter(|fate| **fate == Fate::Kept).count();
        *self.0.last_crash.lock() = Some(cut);
        self.replace(&image);
        [fates.len(), kept]
    }

    /// The process is gone: what it had written is cached, what was in flight may have arrived or not.
    pub(crate) fn survive_process(&self, choices: &Choices) -> [usize; 2] {
        let mut state = self.0.state.lock();
        *self.0.last_crash.lock() = Some(state.power_cut());
        let in_flight = std::mem::take(&mut state.in_flight);
        for write in in_flight {
            if choices.pick("kill.in flight", 2) == 0 {
                state.tell(|_| DiskEvent::Landed { write: write.id });
                state.write(write.ino, write.offset, write.data);
            }
        }
        state.release_all();
        state.tell_files();
        let changes = state.power_cut().changes();
        [changes, changes]
    }
}

impl DiskCore {
    /// Counts an operation; says whether it still takes place.
    pub(crate) fn admit(&self, changes: bool) -> Admission {
        self.events.fetch_add(1, Relaxed);
        if !changes {
            return Admission::Granted;
        }
        if let Some(observer) = &mut *self.observer.lock() {
            observer(&mut || self.state.lock().power_cut());
        }
        let number = self.changes.fetch_add(1, Relaxed);
        let mut crash_at = self.crash_at.lock();
        match *crash_at {
            Some((at, kind)) if number >= at => {
                *crash_at = None;
                Admission::Crash(kind)
            }
            _ => Admission::Granted,
        }
    }
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimDisk({}, {:?})", self.0.name, self.image())
    }
}
