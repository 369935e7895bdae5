//! Databases in memory, and a watch over what runs in them.
//!
//! SQL can ask for a billion rows, or to sleep for a day, and may switch `statement_timeout` off. So a thread of its own
//! cancels whatever has run for too long, as a client would; a statement that does not heed it is a finding, by
//! libFuzzer's own time limit.

use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use heliosdb::{Activity, CancelReason, Config, Database};

/// How long an input may run before its statements are cancelled.
const PATIENCE: Duration = Duration::from_millis(300);

/// A new database in memory that takes little of it.
pub fn database() -> Database {
    let config = Config { memory_limit_mb: 64, ..Config::from(":memory:") };
    Database::open(config).expect("a database in memory opens")
}

/// Cancels what a session runs too long, until dropped.
pub struct Watch(());

static WATCHED: Mutex<Option<(Instant, Arc<Activity>)>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

impl Watch {
    /// Over this session, from now on.
    pub fn over(activity: Arc<Activity>) -> Watch {
        static THREAD: OnceLock<std::thread::JoinHandle<()>> = OnceLock::new();
        THREAD.get_or_init(|| std::thread::spawn(watch));
        *WATCHED.lock().expect("no one panics while watching") = Some((Instant::now() + PATIENCE, activity));
        CHANGED.notify_one();
        Watch(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *WATCHED.lock().expect("no one panics while watching") = None;
    }
}

fn watch() {
    let mut watched = WATCHED.lock().expect("no one panics while watching");
    loop {
        let pause = match &*watched {
            None => PATIENCE,
            Some((end, activity)) => match end.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => left,
                // Again and again: there may be more statements.
                _ => {
                    activity.cancel(CancelReason::UserRequest);
                    Duration::from_millis(10)
                }
            },
        };
        watched = CHANGED.wait_timeout(watched, pause).expect("no one panics while watching").0;
    }
}
