//! A panic of the program under test is a finding, not the end.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Where the last quiet panic was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// While it lives, panics of this thread print nothing.
pub(crate) struct Quiet {
    before: bool,
}

/// Silences the panics of this thread: a shrinker provokes hundreds of them.
pub(crate) fn quiet() -> Quiet {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.with(Cell::get) {
                PLACE.set(info.location().map(|place| format!("at {place}: ")).unwrap_or_default());
            } else {
                usual(info);
            }
        }));
    });
    Quiet { before: QUIET.replace(true) }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(self.before);
    }
}

/// Runs `work`; the message of its panic if it has one.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        PLACE.take() + &text.unwrap_or_else(|| "without a message".to_owned())
    })
}
