//! The unsafe half of the VFS: C function pointers on one side, [`Files`] and [`OpenFile`] on the other.
//!
//! This is the crate's one module with `unsafe` in it. There are crates that write such a module for others; the two
//! that are kept do not serve here. One runs bindgen, and so needs libclang, to build; the other claims for every file
//! that writes are atomic, in order, and appended safely, which makes SQLite leave out syncs that it needs here.
//!
//! # Safety
//!
//! * **Pointers from SQLite** are valid for the call, as its documentation of `sqlite3_vfs` and `sqlite3_io_methods`
//!   says: names are NUL-terminated (or null, for a temporary file), buffers are as long as the length beside them.
//! * **The VFS** does not move, is named uniquely, registered before the connection is opened and
//!   unregistered after it was closed: [`Registered`] is dropped behind the connection, by the order of fields of
//!   whoever holds both. `pAppData` points to its [`Files`], which lives as long.
//! * **A file** is SQLite's memory of `szOsFile` bytes, aligned for a pointer. `open` puts a [`Slot`] there, `close`
//!   takes the box out of it; SQLite calls nothing between a failed `open` (whose methods are null) and the next, and
//!   nothing after `close`.
//! * **No panic crosses a C frame.** Each callback catches what might unwind and returns an error instead. A node's end
//!   does not come as a panic at all: [`helios_sim::Blocking`] has turned it into an error.
//! * **One thread.** A connection is used by the thread that opened it; `Registered` is neither `Send` nor `Sync`.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rusqlite::ffi;

use super::files::{Files, OpenFile, Result};

/// The longest path, its end included.
const PATH_BYTES_MAX: usize = 128;

/// What `os_unix.c` says of a disk that it does not know.
const SECTOR_BYTES: c_int = 4096;

/// A VFS in SQLite's list, until it is dropped. Both pointers are boxes that were leaked for as long: SQLite has copies
/// of them, and a box may have none.
pub(super) struct Registered {
    vfs: *mut ffi::sqlite3_vfs,
    name: CString,
    /// What `pAppData` is.
    files: *mut Files,
}

/// A `sqlite3_file` of ours.
#[repr(C)]
struct Slot {
    base: ffi::sqlite3_file,
    file: *mut OpenFile,
}

impl Registered {
    /// Registers `files` under a name of its own.
    pub(super) fn new(files: Files) -> Registered {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = CString::new(format!("world {}", NEXT.fetch_add(1, Relaxed))).expect("no NUL in it");
        let files = Box::into_raw(Box::new(files));
        let vfs = Box::into_raw(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<Slot>() as c_int,
            mxPathname: PATH_BYTES_MAX as c_int,
            pNext: std::ptr::null_mut(),
            zName: name.as_ptr(),
            pAppData: files.cast::<c_void>(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        let registered = Registered { vfs, name, files };
        // SAFETY: it is freed after it was unregistered, in `drop`; so is its name, whose bytes do not move with it.
        let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite does not start");
        registered
    }

    /// What to open a connection with.
    pub(super) fn name(&self) -> &CStr {
        &self.name
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: it was registered in `new`, the connection that used it is closed, and so nobody has a copy of either
        // pointer when the boxes are made again.
        unsafe {
            ffi::sqlite3_vfs_unregister(self.vfs);
            drop(Box::from_raw(self.vfs));
            drop(Box::from_raw(self.files));
        }
    }
}

/// Begins SQLite's random numbers anew. They are one stream for the whole process.
pub(super) fn seed_random_numbers(seed: c_int) {
    // SAFETY: this operation takes an int and a connection, which may be null.
    unsafe { ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, seed, std::ptr::null_mut::<ffi::sqlite3>()) };
}

/// SQLite's code for `work`'s outcome.
fn code_of(work: impl FnOnce() -> Result<()>) -> c_int {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => ffi::SQLITE_OK,
        Ok(Err(code)) => code,
        Err(_) => ffi::SQLITE_IOERR,
    }
}

/// # Safety
/// `vfs` is ours.
unsafe fn files<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Files {
    // SAFETY: `pAppData` was set in `Registered::new`, and lives as long as the VFS is registered.
    unsafe { &*(*vfs).pAppData.cast::<Files>() }
}

/// # Safety
/// `file` was opened by `open`, and not closed since.
unsafe fn file<'a>(file: *mut ffi::sqlite3_file) -> &'a OpenFile {
    // SAFETY: `open` has put a slot there, whose box is freed by `close` alone.
    unsafe { &*(*file.cast::<Slot>()).file }
}

/// # Safety
/// `name` is null or NUL-terminated.
unsafe fn text<'a>(name: *const c_char) -> Result<Option<&'a str>> {
    if name.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().map(Some).map_err(|_| ffi::SQLITE_CANTOPEN)
}

fn offset_of(offset: i64) -> Result<u64> {
    u64::try_from(offset).map_err(|_| ffi::SQLITE_IOERR)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    slot: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let slot = slot.cast::<Slot>();
    // SAFETY: SQLite gives `szOsFile` bytes; null methods say that there is nothing to close.
    unsafe { (*slot).base.pMethods = std::ptr::null() };
    code_of(|| {
        // SAFETY: `vfs` is ours, `name` is null or NUL-terminated.
        let file = unsafe { files(vfs).open(text(name)?, flags)? };
        // SAFETY: as above; `out_flags` may be null.
        unsafe {
            slot.write(Slot { base: ffi::sqlite3_file { pMethods: &METHODS }, file: Box::into_raw(Box::new(file)) });
            if let Some(out_flags) = out_flags.as_mut() {
                *out_flags = flags;
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn close(slot: *mut ffi::sqlite3_file) -> c_int {
    code_of(|| {
        // SAFETY: `open` made the box, and this is the last call for it.
        drop(unsafe { Box::from_raw((*slot.cast::<Slot>()).file) });
        Ok(())
    })
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: `vfs` is ours, `name` is NUL-terminated.
    code_of(|| unsafe { files(vfs).delete(text(name)?.ok_or(ffi::SQLITE_IOERR_DELETE)?, sync_directory != 0) })
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: `vfs` is ours, `name` is NUL-terminated, `out` is an int.
    code_of(|| unsafe {
        *out = c_int::from(files(vfs).exists(text(name)?.ok_or(ffi::SQLITE_IOERR_ACCESS)?)?);
        Ok(())
    })
}

/// There is one directory, and names are paths.
unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    code_of(|| {
        // SAFETY: `name` is NUL-terminated.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
        if name.len() > len as usize {
            return Err(ffi::SQLITE_CANTOPEN);
        }
        // SAFETY: `out` has `len` bytes, and is SQLite's own buffer.
        unsafe { std::ptr::copy_nonoverlapping(name.as_ptr().cast::<c_char>(), out, name.len()) };
        Ok(())
    })
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, len: c_int, out: *mut c_char) -> c_int {
    // SAFETY: `vfs` is ours, `out` has `len` bytes.
    let code = code_of(|| unsafe {
        let out = std::slice::from_raw_parts_mut(out.cast::<u8>(), len as usize);
        files(vfs).random(out);
        Ok(())
    });
    if code == ffi::SQLITE_OK { len } else { 0 }
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    // SAFETY: `vfs` is ours.
    code_of(|| unsafe {
        files(vfs).sleep(Duration::from_micros(microseconds.unsigned_abs().into()));
        Ok(())
    });
    microseconds
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: `vfs` is ours, `out` is a double.
    code_of(|| unsafe {
        *out = files(vfs).julian_milliseconds() as f64 / 86_400_000.0;
        Ok(())
    })
}

unsafe extern "C" fn current_time_int64(vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: `vfs` is ours, `out` is an integer of 64 bits.
    code_of(|| unsafe {
        *out = files(vfs).julian_milliseconds();
        Ok(())
    })
}

/// The code says it all.
unsafe extern "C" fn last_error(_vfs: *mut ffi::sqlite3_vfs, _len: c_int, _out: *mut c_char) -> c_int {
    0
}

/// Without shared memory: a write-ahead log needs `locking_mode=EXCLUSIVE`.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn read(
    slot: *mut ffi::sqlite3_file,
    out: *mut c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open, `out` has `len` bytes.
    code_of(|| unsafe {
        let out = std::slice::from_raw_parts_mut(out.cast::<u8>(), len as usize);
        file(slot).read(out, offset_of(offset)?)
    })
}

unsafe extern "C" fn write(
    slot: *mut ffi::sqlite3_file,
    data: *const c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open, `data` has `len` bytes.
    code_of(|| unsafe {
        let data = std::slice::from_raw_parts(data.cast::<u8>(), len as usize);
        file(slot).write(data, offset_of(offset)?)
    })
}

unsafe extern "C" fn truncate(slot: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: the file is open.
    code_of(|| unsafe { file(slot).truncate(offset_of(len)?) })
}

unsafe extern "C" fn sync(slot: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    code_of(|| unsafe { file(slot).sync(flags & ffi::SQLITE_SYNC_DATAONLY != 0) })
}

unsafe extern "C" fn file_size(slot: *mut ffi::sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: the file is open, `out` is an integer of 64 bits.
    code_of(|| unsafe {
        *out = file(slot).size()?;
        Ok(())
    })
}

/// Nobody else has the database open: there is one connection, in one process, of a disk of its own.
unsafe extern "C" fn lock(_slot: *mut ffi::sqlite3_file, _lock: c_int) -> c_int {
    ffi::SQLITE_OK
}

/// So nobody else has it reserved, and a journal that is found is hot.
unsafe extern "C" fn check_reserved_lock(_slot: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: `out` is an int.
    unsafe { *out = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_slot: *mut ffi::sqlite3_file, _operation: c_int, _argument: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_slot: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_BYTES
}

/// True of every disk profile: what is not written is not touched. Nothing else is claimed: writes are torn, made out of
/// order, and may lengthen a file before their bytes are there.
unsafe extern "C" fn device_characteristics(_slot: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
