//! An engine at work in one incarnation of a node, and the oracle at its side.
//!
//! Whatever an operation fails with, the answer is the same: let go of the database and open it again. That is what
//! redb asks for after an I/O error, what HeliosDB asks for after a failed sync, and what SQLite does not need but must
//! stand. A failed transaction is under way until the opening shows what became of it. Where an engine promises that it
//! refuses everything until then, it is asked once more before it is let go.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use helios_env::Env;
use helios_sim::{Blocking, Violation};

use crate::engine::{Engine, EngineError, Result, Store};
use crate::model::{Promised, Transaction};

/// How often opening is tried while faults fire, and while the last tasks of an engine that was let go end.
const OPEN_ATTEMPTS: u32 = 12;

pub(crate) struct Session<'a> {
    engine: &'a dyn Engine,
    world: Arc<Blocking>,
    store: Option<Box<dyn Store>>,
    /// A commit that failed is asked for once more before the database is let go.
    asks_again: bool,
    /// It was acknowledged then.
    acknowledged_again: bool,
}

impl<'a> Session<'a> {
    /// Nothing is open yet.
    pub(crate) fn new(engine: &'a dyn Engine, env: Env) -> Session<'a> {
        let world = Arc::new(Blocking::new(env));
        Session { engine, world, store: None, asks_again: false, acknowledged_again: false }
    }

    /// The same, for an engine that promises to refuse everything after a commit that failed: it is tried whether it does.
    /// The second try writes what the first one did, so that whatever became of either is the same state.
    pub(crate) fn asking_again(mut self, asks_again: bool) -> Session<'a> {
        self.asks_again = asks_again;
        self
    }

    /// Whether a commit was acknowledged after one that had failed, without a reopening between them.
    pub(crate) fn acknowledged_again(&self) -> bool {
        self.acknowledged_again
    }

    pub(crate) fn is_open(&self) -> bool {
        self.store.is_some()
    }

    /// Calls the engine. A panic of the engine's is an error; if the node ends, this does not return.
    fn call<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let result = catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            Err(EngineError::Panicked(text.unwrap_or_else(|| "without a message".to_owned())))
        });
        if result.is_err() || self.world.has_ended() {
            self.let_go();
        }
        self.world.resume();
        result
    }

    /// Drops the database as it is, and goes with the node if that has ended.
    fn let_go(&mut self) {
        self.drop_store();
        self.world.resume();
    }

    fn drop_store(&mut self) {
        let store = self.store.take();
        // One that has failed may panic once more, and the dead one's I/O fails: neither is news.
        drop(catch_unwind(AssertUnwindSafe(|| drop(store))));
    }

    fn store(&mut self) -> &mut dyn Store {
        self.store.as_deref_mut().expect("operations come between an opening and the first error")
    }

    /// Opens the database once.
    pub(crate) fn open(&mut self) -> Result<()> {
        self.call(|session| {
            session.store = Some(session.engine.open(&session.world)?);
            Ok(())
        })
    }

    /// Opens the database on a disk that may fail now and then; the last error if only another machine can.
    pub(crate) fn open_patiently(&mut self) -> Result<()> {
        let mut attempts = 0;
        loop {
            match self.open() {
                Err(_) if attempts < OPEN_ATTEMPTS => attempts += 1,
                end => return end,
            }
            let world = self.world.clone();
            let waited = world.wait(world.env().sleep(Duration::from_millis(50)));
            world.resume();
            waited.expect("it has not ended");
        }
    }

    /// Everything.
    pub(crate) fn scan(&mut self) -> Result<BTreeMap<u16, Vec<u8>>> {
        self.call(|session| session.store().scan())
    }

    /// What an opening shows is judged.
    pub(crate) fn judge_opening(&mut self, promised: &mut Promised) -> std::result::Result<Result<()>, Violation> {
        match self.scan() {
            Ok(found) => promised.judge(&found).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Commits a transaction; `changed` is told of each change of what is promised.
    pub(crate) fn commit(
        &mut self,
        transaction: &Transaction,
        promised: &mut Promised,
        mut changed: impl FnMut(&Promised),
    ) -> Result<()> {
        let writes = transaction.writes();
        promised.ask(transaction);
        changed(promised);
        self.call(|session| {
            let end = session.store().commit(&writes, transaction.durable);
            if end.is_err() && session.asks_again && !session.world.has_ended() {
                session.acknowledged_again |= session.store().commit(&writes, transaction.durable).is_ok();
            }
            end
        })?;
        promised.acknowledge(self.engine.lasting(transaction.durable));
        changed(promised);
        Ok(())
    }

    /// Reads one key, and judges the answer.
    pub(crate) fn get(&mut self, key: u16, promised: &Promised) -> std::result::Result<Result<()>, Violation> {
        match self.call(|session| session.store().get(key)) {
            Ok(found) => promised.judge_get(key, found.as_deref()).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Ends it in order.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.call(|session| session.store.take().expect("it is open").close())
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // A violation leaves in a hurry.
        self.drop_store();
    }
}
