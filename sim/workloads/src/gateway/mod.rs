//! The gateway on a network that fails: real conversations of real clients, and a ledger of what they were told.
//!
//! ```text
//!   node 1, 2, 3: clients                     network                  node 0: the server
//!   postgres-protocol ── messages ── SimStream ~~~~~~~ SimStream ── Conversation ── Session ── disk
//!    │ simple, extended, pipelined       delay, loss, duplication,                 crashes, faults
//!    │ COPY in and out, cancel           reordering, partitions,
//!    │ idle, vanish, crash               half-close, reset                 node 4: the operator, who crashes
//!    └─────────── what they were told ──▶ Ledger ◀── what is there ───────  machines and restarts the server
//! ```
//!
//! [`helios_server::Conversation`] is driven as the tokio shell drives it, by a shell of a page ([`server`]). The oracle
//! ([`ledger`]) demands:
//!
//! * what was acknowledged (CommandComplete, then ReadyForQuery 'I') is there for ever;
//! * what was refused, rolled back, or never asked to be committed is never there;
//! * an outcome that the client could not see, since its connection was lost after COMMIT was sent, is one of the two:
//!   clients connect again, find out which, and it stays that;
//! * transactions, batches and COPYs are there as a whole or not at all, in every snapshot;
//! * messages are well formed, come in an order that the protocol allows, and answer their own questions.
//!
//! Then everything heals, and every client must finish soon, each with a commit acknowledged; no session of a client
//! that is gone is left, and no lock.

mod client;
mod ledger;
mod server;
mod steps;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use helios_env::sync::{Mutex, MutexGuard, Notify};
use helios_env::{Env, Instant};
use helios_sim::{
    Class, CrashKind, DeviceProfile, DiskImage, FaultKind, Handle, NetworkOptions, SimNet, Stats, Timing, Violation,
    Workload, World,
};
use heliosdb::Config;

use crate::life::{self, Entitled};
use crate::{Disks, opening};
use client::Client;
use ledger::Ledger;

const SERVER: usize = 0;
const PORT: u16 = 5432;
/// What every client does before everything heals, and after.
const STEPS: u64 = 30;
const STEPS_HEALED: u64 = 4;
/// How often it is given those again in which it has had no commit acknowledged.
const HEALED_ROUNDS_MAX: u64 = 10;
/// Simulated time after which faults stop, whether the clients are done or not.
const TROUBLE_LASTS: Duration = Duration::from_secs(600);
/// Simulated time in which all clients must finish after that.
const FINISH_WITHIN: Duration = Duration::from_secs(300);

/// The workload. See the [module](self).
pub struct Gateway {
    disks: Disks,
}

impl Gateway {
    /// On these disks, which may lie but not rot.
    pub fn new(disks: Disks) -> Gateway {
        Gateway { disks }
    }
}

impl Workload for Gateway {
    fn name(&self) -> &str {
        "gateway"
    }

    fn faults(&self) -> Vec<FaultKind> {
        // Its clients leave by themselves: no future is dropped.
        let mine = |kind: &FaultKind| kind.class() != Class::Detectable && *kind != FaultKind::Cancellation;
        FaultKind::ALL.iter().copied().filter(mine).collect()
    }

    fn uses_network(&self) -> bool {
        true
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        self.disks.profiles()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        vec![
            "gateway: a batch failed in the middle",
            "gateway: a client vanished in a COPY",
            "gateway: a client vanished in a transaction",
            "gateway: a client was silent for too long",
            "gateway: a client's bytes ended",
            "gateway: a client's connection was reset",
            "gateway: a server was silent for too long",
            "gateway: a statement was cancelled",
            "gateway: an outcome that nobody saw was a commit",
            "gateway: an outcome that nobody saw was none",
        ]
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        tame(world);
        let clients = world.knob("clients", &[2, 3]);
        let shared = Shared::new(world, clients);
        let nodes: Vec<usize> = (0..=clients)
            .map(|_| world.add_node(&DiskImage::empty(), DeviceProfile::default(), Timing::nvme()))
            .collect();
        let operator = Operator { world: world.handle(), shared: shared.clone(), node: nodes[clients], clients };
        let (network, shared_too) = (world.network(), shared.clone());
        world.on_boot(SERVER, move |env| server::boot(env, network.clone(), shared_too.clone()));
        operator.start_clients(world, STEPS);
        operator.operate(world, TROUBLE_LASTS, true)?;
        world.heal();
        operator.finish(world)?;
        operator.look_around(world)?;
        *shared.is_over.lock() = true;
        world.crash(CrashKind::Power);
        world.run_on(SERVER, last_look(world.env(), shared.clone()))??;
        let stats = shared.ledger().stats.clone();
        Ok(stats)
    }
}

/// Rates at which a life still achieves something, and in every second world no other faults than the network's and
/// crashes.
fn tame(world: &World) {
    use FaultKind::{ConnectionReset, HalfClose, OneWayPartition, Partition, StuckIo};
    let mut faults = world.faults();
    for (kind, most) in
        [(Partition, 500), (OneWayPartition, 500), (HalfClose, 5_000), (ConnectionReset, 5_000), (StuckIo, 300)]
    {
        faults = faults.at_most(kind, most);
    }
    if !world.knob("other faults", &[false, true]) {
        let is_kept = |kind: &FaultKind| {
            kind.is_of_network() || CRASHES.contains(kind) || FaultKind::SHOWN_BY_CRASHES.contains(kind)
        };
        FaultKind::ALL.iter().filter(|kind| !is_kept(kind)).for_each(|kind| faults.set(*kind, 0));
    }
    world.set_faults(faults);
}

const CRASHES: [FaultKind; 2] = [FaultKind::PowerCut, FaultKind::ProcessKill];

/// What a world draws for all of its machines.
struct Plan {
    config: Config,
    /// How many bytes are read from a connection at once: few, so that messages arrive in pieces.
    read_bytes: usize,
    /// What the world's faults entitle the server's store to.
    entitled: Entitled,
}

/// What outlives the machines. Clones are the same.
#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    plan: Plan,
    ledger: Mutex<Ledger>,
    verdict: Mutex<Option<Violation>>,
    /// What each client still has to do.
    steps: Mutex<Vec<u64>>,
    /// How often each client has been started: a machine may crash at the very moment at which it is given more to do, and
    /// of two programs that then run on it only the newer one goes on.
    starts: Mutex<Vec<u64>>,
    /// Something has changed that the operator may want to know.
    progress: Notify,
    /// The server's machine must be started anew.
    restart: Mutex<Option<CrashKind>>,
    /// No server is wanted any more.
    is_over: Mutex<bool>,
}

impl Shared {
    fn new(world: &World, clients: usize) -> Shared {
        let plan = Plan {
            config: opening::config(world),
            read_bytes: world.knob("read bytes", &[8192, 100, 7]),
            entitled: Entitled::by(&world.faults()),
        };
        let mut options = NetworkOptions::default();
        if world.knob("tight network", &[false, true]) {
            (options.segment_bytes_max, options.send_buffer_bytes, options.receive_buffer_bytes) = (90, 700, 400);
        }
        options.give_up_after = Duration::from_secs(world.knob("give up after seconds", &[30, 8]));
        world.network().configure(options);
        Shared(Arc::new(Inner {
            plan,
            ledger: Mutex::new(Ledger::default()),
            verdict: Mutex::new(None),
            steps: Mutex::new(vec![0; clients]),
            starts: Mutex::new(vec![0; clients]),
            progress: Notify::new(),
            restart: Mutex::new(None),
            is_over: Mutex::new(false),
        }))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock()
    }

    /// Somebody has found something.
    fn fail(&self, violation: Violation) {
        self.0.verdict.lock().get_or_insert(violation);
        self.0.progress.notify();
    }

    fn want_restart(&self, kind: CrashKind) {
        self.0.restart.lock().get_or_insert(kind);
        self.0.progress.notify();
    }

    /// A client is started; which time it is.
    fn starts(&self, client: usize) -> u64 {
        let starts = &mut self.0.starts.lock()[client];
        *starts += 1;
        *starts
    }

    /// Whether a client that was started so has anything left to do.
    fn goes_on(&self, client: u64, start: u64) -> bool {
        let at = client as usize;
        self.0.verdict.lock().is_none() && self.0.starts.lock()[at] == start && self.0.steps.lock()[at] > 0
    }

    fn stepped(&self, client: u64) {
        self.0.steps.lock()[client as usize] -= 1;
        self.0.progress.notify();
    }

    fn steps_left(&self) -> u64 {
        self.0.steps.lock().iter().sum()
    }
}

impl std::ops::Deref for Shared {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Who crashes machines, starts the server anew when it says that it must be, and looks around at the end.
struct Operator {
    world: Handle,
    shared: Shared,
    node: usize,
    clients: usize,
}

impl Operator {
    /// Gives every client so many more steps, and starts those that have ended.
    fn start_clients(&self, world: &World, steps: u64) {
        for number in 0..self.clients {
            let left = std::mem::take(&mut self.shared.steps.lock()[number]);
            self.shared.steps.lock()[number] = left + steps;
            if left > 0 {
                continue;
            }
            let (network, shared, node) = (world.network(), self.shared.clone(), number + 1);
            world.on_boot(node, move |env| {
                let start = shared.starts(number);
                client::boot(env, network.clone(), shared.clone(), node, (number as u64, start))
            });
        }
    }

    /// Lets the world go on until all clients have finished, which it says, or until `time` has passed.
    fn operate(&self, world: &World, time: Duration, crashing: bool) -> Result<bool, Violation> {
        let env = world.env_of(self.node);
        let until = world.now() + time;
        world.run_on(self.node, self.watch(env, until, crashing))?;
        match self.shared.verdict.lock().take() {
            Some(violation) => Err(violation),
            None => Ok(self.shared.steps_left() == 0),
        }
    }

    /// In a healed world all clients finish, and each of them has a commit acknowledged.
    fn finish(&self, world: &World) -> Result<(), Violation> {
        let told = || (0..self.clients as u64).map(|client| self.shared.ledger().told(client)).collect::<Vec<u64>>();
        let (before, until) = (told(), world.now() + FINISH_WITHIN);
        for _ in 0..HEALED_ROUNDS_MAX {
            self.start_clients(world, STEPS_HEALED);
            let time = Duration::from_nanos(until.0.saturating_sub(world.now().0));
            if !self.operate(world, time, false)? {
                let left = self.shared.0.steps.lock().clone();
                return Err(Violation::new(format!(
                    "clients do not finish after everything was healed: {left:?} left"
                )));
            }
            if told().iter().zip(&before).all(|(now, before)| now > before) {
                return Ok(());
            }
        }
        Err(Violation::new("a client of a healed world commits nothing")
            .with(format!("commits of each before {before:?}, after {:?}", told())))
    }

    async fn watch(&self, env: Env, until: Instant, crashing: bool) {
        let choices = self.world.choices();
        let mut crash_at = self.shared.steps_left().saturating_sub(choices.between("gateway.first crash", 4, 20));
        while self.shared.verdict.lock().is_none() && self.shared.steps_left() > 0 && env.clock.monotonic() < until {
            let restart = self.shared.restart.lock().take();
            if let Some(kind) = restart {
                self.world.crash_node(SERVER, kind);
            }
            if crashing && self.shared.steps_left() <= crash_at {
                let kind = [CrashKind::Power, CrashKind::Process][choices.pick("gateway.crash kind", 2)];
                // The server more often than any client.
                let victim = choices.pick("gateway.victim", 3 + self.clients).saturating_sub(2);
                let polls = choices.between("gateway.crash after", 0, 1_500);
                self.world.crash_after_polls(victim, polls, kind);
                let gap = [12, 24, 60][choices.pick("gateway.crash gap", 3)];
                crash_at = self.shared.steps_left().saturating_sub(gap);
            }
            let look_again = env.clock.monotonic() + Duration::from_secs(1);
            server::within(&env, look_again, self.shared.progress.notified()).await;
        }
    }

    /// Whether anything of clients that are gone is left, on a network that works.
    fn look_around(&self, world: &World) -> Result<(), Violation> {
        let env = world.env_of(self.node);
        // By then whoever was cut off has been noticed.
        world.settle(server::KEEPALIVE + world.network().options().give_up_after + Duration::from_secs(5))?;
        let mut client = Client::new(env, world.network(), self.shared.clone(), self.node, u64::MAX);
        let looked = world.run_on(self.node, async move {
            client.connect().await?;
            let sessions = client.ask("SELECT count(*) FROM pg_stat_activity", "TDCZ").await?;
            let sessions = sessions.and_then(|answer| answer.rows.first()?.first()?.clone());
            if sessions.as_deref() != Some("1") {
                return Err(Violation::new(format!("{sessions:?} sessions are there, of one client")).into());
            }
            loop {
                let unresolved = client.shared.ledger().unresolved(None);
                let Some(group) = unresolved else { break };
                client.resolve(group).await?;
            }
            for table in ["ledger", "counters"] {
                let sql = format!("SELECT 1 FROM {table} FOR UPDATE NOWAIT");
                if client.session().ask(&sql).await?.refusal.is_some() {
                    return Err(Violation::new(format!("a row of {table} is locked by nobody")).into());
                }
            }
            client.look(false).await?;
            client.look(true).await?;
            client.leave().await;
            Ok(())
        });
        looked?.map_err(|failure: wire::Failure| match failure {
            wire::Failure::Violation(violation) => violation,
            wire::Failure::Lost(loss) => Violation::new(format!("a connection is lost for no reason: {loss:?}")),
        })?;
        world.settle(Duration::from_secs(1))?;
        let network: SimNet = world.network();
        match network.connections_of(SERVER) {
            0 => Ok(()),
            count => Err(Violation::new(format!("the server has {count} connections and no client"))),
        }
    }
}

/// After one more power cut: what was there is, and everything is sound.
async fn last_look(env: Env, shared: Shared) -> Result<(), Violation> {
    let database = opening::open_healed(&env, &shared.plan.config).await?;
    server::judge(&database, &shared).await?;
    life::verify(&database).await?;
    Ok(())
}
