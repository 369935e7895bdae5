//! The life that all workloads live, from the first opening to the last look.
//!
//! ```text
//!   safety:    sessions under faults, each cut off somewhere; every opening is judged
//!   heal:      nothing fails any more
//!   liveness:  several clients get on with it and each commits something, within a minute of simulated time; nothing is
//!              left over: no lock, no memory, no files, no work for the next opening
//! ```
//!
//! The world draws how many times the database is opened, how many clients work on it each time and how each of these
//! sessions ends: by itself, by a fault, or in the middle of everything after a number of polls. The first one always
//! ends in the middle, so that there is no life without a recovery. Sessions go on until something was achieved: a world
//! whose disk dies at every third write gets more of them.

use std::sync::Arc;
use std::time::Duration;

use helios_env::sync::Mutex;
use helios_env::{Env, Rng};
use helios_sim::{CrashKind, FaultKind, Faults, Handle, Stats, Violation, World};
use helios_sql::execute::CancelReason;
use heliosdb::{Config, Connection, Database, Rows, SqlState, ToSql};

use crate::opening;
use crate::trouble::Trouble;

/// Commits that a life should have, and sessions after which it ends without them.
const COMMITS_WANTED: u64 = 140;
const SESSIONS_MAX: u64 = 16;

/// Simulated time that a healed world may take to open, to let every client finish, and to close.
const LIVENESS: Duration = Duration::from_secs(60);
/// Clients of a healed world.
const LIVENESS_CLIENTS: u64 = 3;
/// Steps in which each of them must have had a commit acknowledged, once it is alone.
const HEALED_STEPS_MAX: u64 = 40;
/// Bytes on the disk after an orderly close: a log segment or two, a manifest, and the tables of a few hundred rows. What
/// is more was never collected.
const SPACE_BYTES_MAX: u64 = 2 << 20;

/// What is particular to a workload. Clones share one oracle.
pub(crate) trait Scenario: Clone + Send + Sync + 'static {
    /// Creates what is missing of the schema.
    fn create(&self, connection: &Connection) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Judges what an opening shows, and takes it as the truth from here on.
    fn judge(&self, database: &Database) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// One step of a client: a transaction, or a look at everything.
    fn step(&self, client: &Client) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// What was achieved so far.
    fn stats(&self) -> Stats;

    /// Whether the disk may damage what it holds.
    fn disk_rots(&self) -> bool {
        false
    }
}

/// What the faults of a world entitle its store to (see [`Faults::entitles_to_stop`]).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entitled {
    /// To refuse everything until it is opened again. Recoverable faults alone are no reason.
    pub(crate) to_stop: bool,
}

impl Entitled {
    pub(crate) fn by(faults: &Faults) -> Entitled {
        Entitled { to_stop: faults.entitles_to_stop() }
    }

    /// A store that stops although nothing entitles it to has broken a promise.
    pub(crate) fn allow(self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Stopped(error) if !self.to_stop && error.code() == SqlState::IO_ERROR => {
                Violation::from(error).with("every fault of this world is recoverable, and the store stopped").into()
            }
            other => other,
        }
    }

    /// The same of an error of which a client of the protocol saw only this.
    pub(crate) fn allow_code(self, code: &str, what: &str) -> Result<(), Violation> {
        if self.to_stop || code != SqlState::IO_ERROR.as_str() {
            return Ok(());
        }
        let violation = Violation::new(format!("{what}: {code}"));
        Err(violation.with("every fault of this world is recoverable, and the store stopped"))
    }
}

/// One client of a session.
pub(crate) struct Client {
    pub(crate) database: Database,
    pub(crate) connection: Connection,
    pub(crate) number: u64,
    rng: Arc<dyn Rng>,
    world: Handle,
}

impl Client {
    /// A number below `n`.
    pub(crate) fn below(&self, n: u64) -> u64 {
        self.rng.next_u64() % n
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Runs a statement, perhaps leaving it half way.
    pub(crate) async fn query(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Rows, Trouble> {
        let rows = self.connection.query_async(sql, params);
        match self.world.cancellable("leave a statement", rows).await {
            Ok(outcome) => outcome.map_err(|error| Trouble::of(error, sql)),
            Err(_) => Err(Trouble::Left),
        }
    }

    /// Runs a script in one transaction, perhaps leaving it half way.
    pub(crate) async fn script(&self, sql: &str) -> Result<(), Trouble> {
        let script = self.connection.execute_batch_async(sql);
        match self.world.cancellable("leave a script", script).await {
            Ok(outcome) => outcome.map_err(|error| Trouble::of(error, sql)),
            Err(_) => Err(Trouble::Left),
        }
    }

    /// Ends whatever transaction there is; nothing of it happened.
    pub(crate) async fn roll_back(&self) -> Result<(), Trouble> {
        let outcome = self.connection.execute_batch_async("ROLLBACK").await;
        outcome.map_err(|error| Trouble::of(error, "ROLLBACK"))
    }
}

/// Lives a life of `scenario` in `world`.
pub(crate) fn live<S: Scenario>(world: &World, scenario: &S) -> Result<Stats, Violation> {
    // Half a minute each: with thousands of tiny reads in a session, more of them is only waiting.
    world.set_faults(world.faults().at_most(FaultKind::StuckIo, 1_000));
    let config = opening::config(world);
    let entitled = Entitled::by(&world.faults());
    let sessions = world.knob("sessions", &[2, 3, 5]);
    let disk_rots = scenario.disk_rots();
    for number in 0..SESSIONS_MAX {
        if number >= sessions && scenario.stats().commits >= COMMITS_WANTED {
            break;
        }
        plan_crash(world, number);
        let (scenario, config) = (scenario.clone(), config.clone());
        let session = Session { scenario, config, world: world.handle(), number, entitled };
        match world.session(session.run(world.env())) {
            Err(Trouble::Damage(_) | Trouble::Stopped(_)) if disk_rots => break,
            other => other?,
        }
    }
    world.heal();
    if disk_rots {
        world.run(last_look(world.env(), config, scenario.clone()))??;
        return Ok(scenario.stats());
    }
    let healed = world.now();
    world.run(epilogue(world.env(), config, scenario.clone(), world.handle()))??;
    let took = Duration::from_nanos(world.now().0 - healed.0);
    if took > LIVENESS {
        return Err(Violation::new(format!("a healed world took {took:?} to finish, more than {LIVENESS:?}")));
    }
    let bytes: usize = world.disk().image().files().iter().map(|(_, bytes)| bytes.len()).sum();
    if bytes as u64 > SPACE_BYTES_MAX {
        return Err(Violation::new(format!("{bytes} bytes are left on the disk, more than {SPACE_BYTES_MAX}")));
    }
    Ok(scenario.stats())
}

/// Decides when the session that begins now is cut off, if no fault does it first. The shortest of these times cut off
/// the opening.
fn plan_crash(world: &World, session: u64) {
    let late: &[u64] = &[4_000, 10_000];
    let any: &[u64] = &[u64::MAX, 40, 150, 600, 2_500, 10_000];
    let polls = world.knob("crash after polls", if session == 0 { late } else { any });
    if polls < u64::MAX {
        let kind = world.knob("crash kind", &[CrashKind::Power, CrashKind::Process]);
        let jitter = world.choices().pick("crash jitter", polls as usize / 2) as u64;
        let patience = world.knob("crash when exposed", &[4_000, 0]);
        world.handle().crash_when_exposed(0, polls / 2 + jitter, patience, kind);
    }
}

/// One opening of the database: judge what it shows, work, and perhaps close.
struct Session<S> {
    scenario: S,
    config: Config,
    world: Handle,
    number: u64,
    entitled: Entitled,
}

impl<S: Scenario> Session<S> {
    /// `false`: see [`opening::open`].
    async fn run(self, env: Env) -> Result<bool, Trouble> {
        let opened = opening::open(&env, &self.config, self.entitled).await?;
        let Some(database) = opened else { return Ok(false) };
        match self.begin(&database).await.map_err(|trouble| self.entitled.allow(trouble)) {
            Err(Trouble::Stopped(_) | Trouble::Refused(_)) => return Ok(true),
            Err(Trouble::Damage(_)) if self.scenario.disk_rots() => return Ok(true),
            other => other?,
        }
        let rng = env.rng.fork(&format!("session {}", self.number));
        let verdict = Arc::new(Mutex::new(Ok(())));
        let mut tasks = Vec::new();
        let clients = 2 + rng.next_u64() % 4;
        let mut activities = Vec::new();
        for number in 0..clients {
            let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
            activities.push(connection.activity().clone());
            let client = Client {
                database: database.clone(),
                connection,
                number,
                rng: env.rng.fork(&format!("session {} client {number}", self.number)),
                world: self.world.clone(),
            };
            let (scenario, verdict, entitled) = (self.scenario.clone(), verdict.clone(), self.entitled);
            tasks.push(env.spawn("client", async move { work(&scenario, &client, entitled, &verdict).await }));
        }
        let poked = rng.next_u64().is_multiple_of(3);
        if poked {
            let (database, env, rng) = (database.clone(), env.clone(), rng.clone());
            tasks.push(env.clone().spawn("poke", async move {
                for _ in 0..4 {
                    env.sleep(Duration::from_micros(rng.next_u64() % 20_000)).await;
                    // Its outcome shows in what the clients see.
                    drop(database.checkpoint().await);
                    let victim = &activities[(rng.next_u64() % activities.len() as u64) as usize];
                    victim.cancel(CancelReason::UserRequest);
                }
            }));
        }
        for task in tasks {
            task.await;
        }
        std::mem::replace(&mut *verdict.lock(), Ok(()))?;
        if rng.next_u64().is_multiple_of(2) {
            // A close that fails has still let go of the directory.
            drop(database.close().await);
        }
        Ok(true)
    }

    async fn begin(&self, database: &Database) -> Result<(), Trouble> {
        let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
        self.scenario.create(&connection).await?;
        self.scenario.judge(database).await?;
        if self.number % 2 == 1 && !self.scenario.disk_rots() {
            verify(database).await?;
        }
        Ok(())
    }
}

/// Steps of one client, until enough were made, the store stops, or somebody has found something.
async fn work<S: Scenario>(scenario: &S, client: &Client, entitled: Entitled, verdict: &Mutex<Result<(), Trouble>>) {
    for _ in 0..40 {
        if verdict.lock().is_err() {
            return;
        }
        let mut outcome = scenario.step(client).await.map_err(|trouble| entitled.allow(trouble));
        if let Err(Trouble::Stopped(error)) = &outcome
            && error.code() == SqlState::IO_ERROR
            && !scenario.disk_rots()
        {
            outcome = stays_stopped(client).await;
        }
        match outcome {
            Ok(()) | Err(Trouble::Refused(_) | Trouble::Left) => (),
            Err(Trouble::Stopped(_)) => return,
            Err(Trouble::Damage(_)) if scenario.disk_rots() => return,
            Err(trouble) => {
                let violation = Violation::from(trouble).with(format!("seen by client {}", client.number));
                let mut verdict = verdict.lock();
                if verdict.is_ok() {
                    *verdict = Err(violation.into());
                }
                return;
            }
        }
    }
}

/// A store that could not write its log says so, and acknowledges nothing more before it is opened again.
async fn stays_stopped(client: &Client) -> Result<(), Trouble> {
    client.roll_back().await?;
    let sql = format!("CREATE SEQUENCE after_the_end_{}", client.number);
    match client.query(&sql, &[]).await {
        Ok(_) => Err(Violation::new("a store acknowledges a commit after it has failed to write its log").into()),
        Err(Trouble::Refused(_) | Trouble::Left) => Err(Trouble::Left),
        Err(other) => Err(other),
    }
}

/// Every checksum, every key order, every index against its table.
pub(crate) async fn verify(database: &Database) -> Result<(), Trouble> {
    let report = database.verify().await.map_err(|error| Trouble::of(error, "verify"))?;
    if report.problems.is_empty() {
        return Ok(());
    }
    // A store that a failing disk has stopped is not in order before it is opened again. A full disk excuses nothing.
    if let Err(error) = database.checkpoint().await
        && let stopped @ Trouble::Stopped(_) = Trouble::of(error, "checkpoint")
    {
        return Err(stopped);
    }
    let violation = Violation::new(format!("verify is not clean: {report}"));
    Err(report.problems.into_iter().fold(violation, Violation::with).into())
}

/// Every table and every row of it can be locked against everybody at once: nobody holds anything.
pub(crate) async fn nothing_is_held(database: &Database) -> Result<(), Violation> {
    let connection = database.connect()?;
    let names: Vec<String> = database.catalog().tables().map(|table| table.name.clone()).collect();
    for name in names {
        let lock = format!(
            "BEGIN; SELECT FROM \"{name}\" FOR UPDATE NOWAIT; LOCK TABLE \"{name}\" IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT"
        );
        let locked = connection.execute_batch_async(&lock).await;
        locked.map_err(|error| Violation::from(error).with(format!("somebody who is gone holds a lock on {name}")))?;
    }
    Ok(())
}

/// The disk heals, and what was written wrongly stays so: it is refused or reported, or what is shown is right.
async fn last_look<S: Scenario>(env: Env, config: Config, scenario: S) -> Result<(), Violation> {
    let looked = async {
        let entitled = Entitled { to_stop: true };
        let Some(database) = opening::open(&env, &config, entitled).await? else { return Ok(()) };
        let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
        scenario.create(&connection).await?;
        scenario.judge(&database).await
    };
    match looked.await {
        Err(Trouble::Damage(_) | Trouble::Stopped(_)) => Ok(()),
        other => Ok(other?),
    }
}

/// Several clients at work at once, and then each alone.
async fn clients_get_on<S: Scenario>(
    env: &Env,
    database: &Database,
    scenario: &S,
    world: &Handle,
) -> Result<(), Violation> {
    let verdict = Arc::new(Mutex::new(None));
    let (mut clients, mut tasks) = (Vec::new(), Vec::new());
    for number in 0..LIVENESS_CLIENTS {
        let rng = env.rng.fork(&format!("epilogue {number}"));
        let (connection, database, world) = (database.connect()?, database.clone(), world.clone());
        let client = Arc::new(Client { database, connection, number, rng, world });
        clients.push(client.clone());
        let (scenario, verdict) = (scenario.clone(), verdict.clone());
        tasks.push(env.spawn("client of a healed world", async move {
            for _ in 0..3 {
                if let Err(violation) = step_healed(&scenario, &client).await {
                    verdict.lock().get_or_insert(violation);
                    return;
                }
            }
        }));
    }
    for task in tasks {
        task.await;
    }
    if let Some(violation) = verdict.lock().take() {
        return Err(violation);
    }
    for client in clients {
        commits_something(scenario, &client).await?;
    }
    Ok(())
}

/// A step where nothing fails: it may be refused, and nothing else.
async fn step_healed<S: Scenario>(scenario: &S, client: &Client) -> Result<(), Violation> {
    match scenario.step(client).await {
        Ok(()) | Err(Trouble::Refused(_)) => Ok(()),
        Err(trouble) => Err(Violation::from(trouble).with("after everything was healed")),
    }
}

/// A client that is alone in a healed world has a commit acknowledged, soon.
async fn commits_something<S: Scenario>(scenario: &S, client: &Client) -> Result<(), Violation> {
    let before = scenario.stats().commits;
    for _ in 0..HEALED_STEPS_MAX {
        step_healed(scenario, client).await?;
        if scenario.stats().commits > before {
            return Ok(());
        }
    }
    let number = client.number;
    Err(Violation::new(format!("client {number} of a healed world commits nothing in {HEALED_STEPS_MAX} steps")))
}

/// Without faults everything works: what happened is there, everything is sound, every client gets on, and an orderly
/// close leaves nothing to recover.
async fn epilogue<S: Scenario>(env: Env, config: Config, scenario: S, world: Handle) -> Result<(), Violation> {
    let database = opening::open_healed(&env, &config).await?;
    let connection = database.connect()?;
    scenario.create(&connection).await?;
    scenario.judge(&database).await?;
    clients_get_on(&env, &database, &scenario, &world).await?;
    scenario.judge(&database).await?;
    nothing_is_held(&database).await?;
    drop(connection);
    let bytes = database.memory().used_bytes();
    if bytes > 0 {
        return Err(Violation::new(format!("{bytes} bytes of query memory belong to nobody")));
    }
    database.checkpoint().await?;
    verify(&database).await?;
    scenario.judge(&database).await?;
    database.close().await?;
    drop(database);
    let database = opening::open_healed(&env, &config).await?;
    let report = database.recovery();
    if report.replayed_commits > 0 || report.torn_tail.is_some() || report.removed_files > 0 {
        return Err(Violation::new(format!("an orderly close leaves work: {report:?}")));
    }
    scenario.judge(&database).await?;
    database.close().await?;
    Ok(())
}
