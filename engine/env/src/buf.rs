//! Owned, aligned I/O buffers.
//!
//! io_uring writes into a buffer long after the call that named it has returned, and a waiter that gives up cannot take
//! the buffer with it. So buffers are not borrowed: a [`Buf`] moves into the operation, which owns it until it is over,
//! and comes back with the result, whatever that is. O_DIRECT wants memory aligned to the device's blocks, so all of
//! it is.
//!
//! A `Buf` is a pointer, a capacity and a length. All of its capacity is zeroed at birth, so there are no uninitialised
//! bytes to be careful about, and its bytes stay where they are when the `Buf` is moved, which is what the kernel is
//! promised. This module's unsafe code is the allocation and the two slices.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};

/// Alignment of every [`Buf`] in bytes: enough for O_DIRECT on any device we know.
pub const ALIGNMENT: usize = 4096;

/// A byte buffer whose first byte is aligned to [`ALIGNMENT`] and which can be handed to the kernel by value.
///
/// It dereferences to its initialised bytes (`len`). Capacity is a multiple of [`ALIGNMENT`].
pub struct Buf {
    bytes: std::ptr::NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: `Buf` owns its allocation exclusively; a shared reference gives read access only.
#[allow(unsafe_code)]
unsafe impl Send for Buf {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Buf {}

#[allow(unsafe_code)]
impl Buf {
    /// An empty buffer that owns no memory.
    pub const fn new() -> Buf {
        const NOWHERE: std::num::NonZero<usize> = std::num::NonZero::new(ALIGNMENT).expect("not zero");
        Buf { bytes: std::ptr::NonNull::without_provenance(NOWHERE), capacity: 0, len: 0 }
    }

    /// A buffer of `len` zero bytes.
    pub fn zeroed(len: usize) -> Buf {
        let mut buf = Buf::with_capacity(len);
        buf.len = len;
        buf
    }

    /// An empty buffer with room for `capacity` bytes, rounded up to [`ALIGNMENT`]. Spare room is zeroed.
    pub fn with_capacity(capacity: usize) -> Buf {
        if capacity == 0 {
            return Buf::new();
        }
        let layout = Buf::layout(capacity);
        // SAFETY: the layout's size is not zero.
        let raw = unsafe { alloc_zeroed(layout) };
        let Some(bytes) = std::ptr::NonNull::new(raw) else { handle_alloc_error(layout) };
        Buf { bytes, capacity: layout.size(), len: 0 }
    }

    fn layout(capacity: usize) -> Layout {
        let size = capacity.next_multiple_of(ALIGNMENT);
        Layout::from_size_align(size, ALIGNMENT).expect("a buffer is smaller than isize::MAX")
    }

    /// Bytes that fit without another allocation.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Appends `bytes`, growing when there is no room.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.reserve(end);
        // SAFETY: `reserve` made room for `end` bytes; the regions cannot overlap, `self` is borrowed mutably.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.bytes.as_ptr().add(self.len), bytes.len()) };
        self.len = end;
    }

    /// Sets the length to `len`; new bytes are zero.
    pub fn resize(&mut self, len: usize) {
        if len > self.len {
            self.reserve(len);
            // SAFETY: within the capacity just reserved.
            unsafe { std::ptr::write_bytes(self.bytes.as_ptr().add(self.len), 0, len - self.len) };
        }
        self.len = len;
    }

    /// Drops everything behind `len`; longer lengths change nothing.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Forgets the contents and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    fn reserve(&mut self, needed: usize) {
        if needed > self.capacity {
            let mut grown = Buf::with_capacity(needed.max(self.capacity * 2));
            grown.extend_from_slice(self);
            *self = grown;
        }
    }
}

impl Drop for Buf {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: allocated by `with_capacity` with this very layout.
            unsafe { dealloc(self.bytes.as_ptr(), Buf::layout(self.capacity)) };
        }
    }
}

impl Deref for Buf {
    type Target = [u8];
    #[allow(unsafe_code)]
    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised (allocation is zeroed) and owned.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.len) }
    }
}

impl DerefMut for Buf {
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.bytes.as_ptr(), self.len) }
    }
}

impl Default for Buf {
    fn default() -> Self {
        Buf::new()
    }
}

impl From<&[u8]> for Buf {
    fn from(bytes: &[u8]) -> Buf {
        let mut buf = Buf::with_capacity(bytes.len());
        buf.extend_from_slice(bytes);
        buf
    }
}

impl std::fmt::Debug for Buf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buf({} of {} bytes)", self.len, self.capacity)
    }
}

/// Run them under Miri: nothing here touches the outside world.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_zeroed() {
        let buf = Buf::zeroed(5000);
        assert_eq!(buf.as_ptr() as usize % ALIGNMENT, 0);
        assert_eq!((buf.len(), buf.capacity()), (5000, 2 * ALIGNMENT));
        assert!(buf.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn owns_nothing_when_empty() {
        let mut buf = Buf::new();
        assert_eq!((buf.len(), buf.capacity()), (0, 0));
        assert_eq!(&*buf, b"");
        buf.extend_from_slice(b"");
        buf.resize(0);
        buf.truncate(10);
        buf.clear();
        assert_eq!(buf.capacity(), 0);
        assert_eq!(Buf::zeroed(0).capacity(), 0);
        assert_eq!(Buf::from(&b""[..]).len(), 0);
    }

    #[test]
    fn grows_and_keeps_its_bytes() {
        let mut buf = Buf::default();
        let mut expected = Vec::new();
        for round in 0..200_u8 {
            let piece = vec![round; usize::from(round) * 7 % 300];
            buf.extend_from_slice(&piece);
            expected.extend_from_slice(&piece);
            assert_eq!(buf.as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(buf.capacity() % ALIGNMENT, 0);
        }
        assert_eq!(*buf, *expected);
    }

    #[test]
    fn new_length_is_zero_even_where_bytes_were() {
        let mut buf = Buf::from(&[7; 100][..]);
        buf.truncate(10);
        buf.resize(20);
        assert_eq!(*buf, [[7; 10], [0; 10]].concat());
        buf.clear();
        buf.resize(ALIGNMENT + 1);
        assert!(buf.iter().all(|byte| *byte == 0));
        buf.resize(3);
        assert_eq!(buf.len(), 3);
    }

    #[test]
    fn is_written_through_and_sent_to_other_threads() {
        let mut buf = Buf::from(&b"abc"[..]);
        buf[1] = b'x';
        let buf = std::thread::spawn(move || buf).join().expect("no panic");
        assert_eq!(&*buf, b"axc");
        assert_eq!(format!("{buf:?}"), "Buf(3 of 4096 bytes)");
    }
}
