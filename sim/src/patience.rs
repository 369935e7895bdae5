//! Opening a store in a world that fails: again and again, as whoever runs it would.
//!
//! Two things pass by themselves: the tasks of a store that was dropped end a little later, and its lock with them; and a
//! fault that fires now may not fire the next time. What does not pass is told to whoever asked.

use std::time::Duration;

use helios_env::Env;

/// How often opening is tried while faults fire, and while the last tasks of a dropped store end.
const OPEN_ATTEMPTS: u32 = 40;
const UNLOCK_ATTEMPTS: u32 = 2_000;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// What a failure to open means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFailure {
    /// Somebody has it open, who will be gone soon.
    Locked,
    /// The world failed; another attempt may succeed.
    Transient,
    /// Another attempt is of no use, or may not be necessary.
    Final,
}

/// Opens a store by `open`, which is called again as long as what it fails with passes, as `failure` says. `None` when
/// transient failures do not end: only a restart of the machine helps (a file system that has shut itself down).
///
/// # Errors
/// What is final, and a lock that is never let go.
pub async fn open_patiently<T, E, F: Future<Output = Result<T, E>>>(
    env: &Env,
    mut open: impl FnMut() -> F,
    failure: impl Fn(&E) -> OpenFailure,
) -> Result<Option<T>, E> {
    let (mut attempts, mut locked) = (0, 0);
    loop {
        let error = match open().await {
            Ok(store) => return Ok(Some(store)),
            Err(error) => error,
        };
        match failure(&error) {
            OpenFailure::Locked if locked < UNLOCK_ATTEMPTS => locked += 1,
            OpenFailure::Transient if attempts < OPEN_ATTEMPTS => attempts += 1,
            OpenFailure::Transient => return Ok(None),
            OpenFailure::Locked | OpenFailure::Final => return Err(error),
        }
        drop(error);
        env.sleep(PAUSE).await;
    }
}
