//! Randomness from the operating system.
//!
//! Every number comes from the kernel's generator, in blocks: good enough for keys, salts and nonces, which a seeded
//! SplitMix64 is not, and as cheap. The price is that nothing repeats, which production does not want anyway.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{ErrorKind, IoError, Result, Rng};

/// Bytes fetched at a time; the kernel never cuts a request of up to 256 short.
const BLOCK: usize = 256;

/// The operating system's random numbers.
pub(crate) struct SystemRng(Mutex<Block>);

struct Block {
    bytes: [u8; BLOCK],
    used: usize,
}

impl SystemRng {
    /// Fails when the operating system has no random numbers to give, as a jail without `/dev/urandom` might.
    pub(crate) fn open() -> Result<SystemRng> {
        let mut block = Block { bytes: [0; BLOCK], used: 0 };
        fill(&mut block.bytes)?;
        Ok(SystemRng(Mutex::new(block)))
    }
}

impl Rng for SystemRng {
    fn fork(&self, _name: &str) -> Arc<dyn Rng> {
        // Streams of the operating system's randomness are independent whatever they are called.
        Arc::new(SystemRng(Mutex::new(Block { bytes: [0; BLOCK], used: BLOCK })))
    }

    fn next_u64(&self) -> u64 {
        let mut block = self.0.lock();
        if block.used == BLOCK {
            fill(&mut block.bytes).expect("a source of random numbers that worked at the start goes on working");
            block.used = 0;
        }
        let from = block.used;
        block.used += 8;
        let eight = &mut block.bytes[from..from + 8];
        let value = u64::from_le_bytes((&*eight).try_into().expect("eight bytes"));
        // Nobody reads it here a second time.
        eight.fill(0);
        value
    }
}

#[cfg(target_os = "linux")]
fn fill(bytes: &mut [u8; BLOCK]) -> Result<()> {
    let failed = |errno: i32| IoError::from_errno(errno, "get random numbers");
    match rustix::io::retry_on_intr(|| rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty())) {
        Ok(BLOCK) => Ok(()),
        Ok(_) => Err(IoError::new(ErrorKind::Other, "get random numbers")),
        Err(error) => Err(failed(error.raw_os_error())),
    }
}

#[cfg(not(target_os = "linux"))]
fn fill(bytes: &mut [u8; BLOCK]) -> Result<()> {
    use std::io::Read;
    const SOURCE: &str = "/dev/urandom";
    std::fs::File::open(SOURCE).and_then(|mut file| file.read_exact(bytes)).map_err(|error| {
        match error.raw_os_error() {
            Some(errno) => IoError::from_errno(errno, "get random numbers").at(SOURCE),
            None => IoError::new(ErrorKind::Other, "get random numbers").at(SOURCE),
        }
    })
}
