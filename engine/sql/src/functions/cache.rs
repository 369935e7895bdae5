//! What a call site keeps between calls: PostgreSQL's `fn_extra`.

use std::any::Any;
use std::fmt;

use helios_env::sync::{Arc, Mutex};

/// The last thing that a function prepared at its call site (a compiled regular expression, a parsed template), with
/// the text that it was made from. A plan holds one per call. Plans are shared, so it locks; nobody waits, because
/// nothing is computed under the lock.
#[derive(Default)]
pub struct CallCache(Mutex<Option<(Box<str>, Arc<dyn Any + Send + Sync>)>>);

impl CallCache {
    /// The value made from `key`: the kept one, or a new one, which is then kept.
    pub(super) fn get_or_make<T: Any + Send + Sync, E>(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        if let Some((kept, value)) = &*self.0.lock()
            && **kept == *key
            && let Ok(value) = value.clone().downcast::<T>()
        {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        *self.0.lock() = Some((key.into(), value.clone()));
        Ok(value)
    }
}

impl Clone for CallCache {
    /// A copy of a call site prepares for itself.
    fn clone(&self) -> CallCache {
        CallCache::default()
    }
}

impl fmt::Debug for CallCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallCache")
    }
}
