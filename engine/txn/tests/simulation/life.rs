//! The life of a store and its transactions: sessions of several clients, each cut off or ended in order, and a recovery
//! between them that is judged; then the world heals, and everything must work.

use std::sync::Arc;
use std::time::Duration;

use helios_env::sync::Mutex;
use helios_env::{Env, ErrorKind};
use helios_sim::{Class, FaultKind, Handle, OpenFailure, Stats, Violation, Workload, World, open_patiently};
use helios_storage::{Error, Options, Storage};

use crate::client::{self, Client, Trouble};
use crate::ledger::Ledger;

/// Sizes of memtables.
const MEMTABLES_BYTES: [usize; 3] = [2 << 10, 6 << 10, 40 << 10];
/// Steps in which the client of a healed world must have had a commit acknowledged.
const HEALED_STEPS_MAX: u32 = 40;

pub(crate) type Shared = Arc<Mutex<Ledger>>;

/// The workload.
pub(crate) struct Transactions;

#[derive(Clone)]
struct Life {
    options: Options,
    ledger: Shared,
    deadlock_timeout: Duration,
    /// The world's faults entitle the store to refuse everything until it is opened again.
    may_stop: bool,
}

impl Life {
    fn draw(world: &World) -> Life {
        Life {
            options: Options::drawn(MEMTABLES_BYTES, &mut |name, sizes| world.knob(name, sizes)),
            ledger: Shared::default(),
            deadlock_timeout: Duration::from_millis(world.knob("deadlock timeout", &[5, 100])),
            may_stop: world.faults().entitles_to_stop(),
        }
    }

    /// `None`: the file system has shut itself down, and only a restart of the machine helps.
    async fn open(&self, env: &Env) -> Result<Option<helios_txn::Transactions>, Trouble> {
        let open = || Storage::open(env.clone(), self.options.clone());
        let opened = open_patiently(env, open, |error| match error {
            Error::Locked { .. } => OpenFailure::Locked,
            Error::Io(error) if self.may_stop || error.kind() == ErrorKind::NoSpace => OpenFailure::Transient,
            _ => OpenFailure::Final,
        });
        let opened = opened.await.map_err(Violation::from)?;
        Ok(opened.map(|(storage, report)| helios_txn::Transactions::new(env.clone(), storage, report.last_xid + 1)))
    }

    fn client(&self, transactions: &helios_txn::Transactions, world: &Handle, number: usize) -> Client {
        Client {
            transactions: transactions.clone(),
            ledger: self.ledger.clone(),
            world: world.clone(),
            number,
            deadlock_timeout: self.deadlock_timeout,
        }
    }

    /// One opening: judge what it shows, work, and perhaps close. `false`: see [`Life::open`].
    async fn session(self, env: Env, world: Handle) -> Result<bool, Trouble> {
        let Some(transactions) = self.open(&env).await? else { return Ok(false) };
        let (happened, found) = client::look(&transactions).await?;
        self.ledger.lock().judge(&happened, &found)?;
        let verdict = Arc::new(Mutex::new(Ok(())));
        let clients = 5 - world.choices().pick("clients", 4);
        let mut tasks = Vec::new();
        for number in 0..clients {
            let (client, verdict) = (self.client(&transactions, &world, number), verdict.clone());
            let may_stop = self.may_stop;
            tasks.push(env.spawn("client", async move {
                for _ in 0..50 {
                    if verdict.lock().is_err() {
                        return;
                    }
                    match client.step().await {
                        Ok(()) | Err(Trouble::Refused | Trouble::Left) => (),
                        Err(Trouble::Closed) => return,
                        Err(Trouble::Stopped(_)) if may_stop => return,
                        Err(Trouble::Violation(violation) | Trouble::Stopped(violation)) => {
                            let violation = violation.with(format!("seen by client {}", client.number));
                            let mut verdict = verdict.lock();
                            if verdict.is_ok() {
                                *verdict = Err(violation);
                            }
                            return;
                        }
                    }
                }
            }));
        }
        for task in tasks {
            task.await;
        }
        std::mem::replace(&mut *verdict.lock(), Ok(()))?;
        if world.choices().pick("close", 2) == 0 {
            // A close that fails has still let go of the directory.
            drop(transactions.storage().close().await);
        }
        Ok(true)
    }

    /// Without faults everything works: a client gets on, nothing is locked once it is done, and it is all there.
    async fn epilogue(self, env: Env, world: Handle) -> Result<(), Violation> {
        let transactions = self.open(&env).await?.ok_or(Violation::new("a healed disk does not open"))?;
        let (happened, found) = client::look(&transactions).await?;
        self.ledger.lock().judge(&happened, &found)?;
        let client = self.client(&transactions, &world, 0);
        let before = self.ledger.lock().stats.commits;
        for number in 0..HEALED_STEPS_MAX {
            // After a few steps of any kind only transactions: doing nothing, which a life that shrinks tends to, is not
            // getting on.
            let outcome = if number < 6 { client.step().await } else { client.transaction().await };
            match outcome {
                Ok(()) | Err(Trouble::Refused) => (),
                Err(trouble) => return Err(Violation::from(trouble).with("after everything was healed")),
            }
            if number >= 6 && self.ledger.lock().stats.commits > before {
                break;
            }
        }
        if self.ledger.lock().stats.commits == before {
            return Err(Violation::new(format!("a healed world commits nothing in {HEALED_STEPS_MAX} steps")));
        }
        let locks = transactions.explicit_locks();
        if locks != 0 {
            return Err(Violation::new(format!("{locks} locks are left, and no transaction")));
        }
        transactions.storage().close().await?;
        let transactions = self.open(&env).await?.ok_or(Violation::new("what was closed does not open"))?;
        let (happened, found) = client::look(&transactions).await?;
        self.ledger.lock().judge(&happened, &found)?;
        transactions.storage().close().await?;
        Ok(())
    }
}

impl Workload for Transactions {
    fn name(&self) -> &str {
        "transactions"
    }

    fn faults(&self) -> Vec<FaultKind> {
        // This floor has no budget of memory.
        let mine = |kind: &FaultKind| kind.class() != Class::Detectable && *kind != FaultKind::MemoryLimit;
        FaultKind::ALL.iter().copied().filter(mine).collect()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        vec![
            "txn: a commit's client left",
            "txn: a deadlock was detected",
            "txn: a row was newer than its statement's snapshot",
            "txn: the first updater won",
        ]
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        // Half a minute each: more of them is only waiting.
        world.set_faults(world.faults().at_most(FaultKind::StuckIo, 1_000));
        let life = Life::draw(world);
        for _ in 0..world.knob("rounds", &[2, 3, 5]) {
            world.session(life.clone().session(world.env(), world.handle()))?;
        }
        world.heal();
        world.run(life.clone().epilogue(world.env(), world.handle()))??;
        let stats = life.ledger.lock().stats.clone();
        Ok(stats)
    }
}
