//! The swarm's workload: one client, random transactions, and a disk that fails in the ways that are asked for.
//!
//! A life is a number of sessions. Each opens the database, judges what it shows, and works until it has done its
//! share or the node dies; between sessions the power fails or the process is killed, whatever else goes wrong. At the
//! end the disk heals, and then the database must open at once and show what it owes; less is asked where the disk has
//! damaged what it holds: see [`Judged`].

use helios_sim::{CrashKind, DeviceProfile, FaultKind, Faults, Handle, Stats, Stop, Violation, Workload, World};

use crate::engine::Engine;
use crate::model::{Promised, Transaction, Value};
use crate::report::Judged;
use crate::session::Session;

/// What goes wrong in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// One kind of fault, and power cuts between sessions that do whatever a power cut can do.
    Alone(FaultKind),
    /// A random subset of these, drawn anew in each world.
    Some(Vec<FaultKind>),
}

/// One engine in one kind of trouble.
pub struct Life<'a> {
    engine: &'a dyn Engine,
    trouble: Trouble,
    name: String,
}

/// Keys are few, so that they are overwritten.
const KEYS: usize = 24;

/// What a world draws once.
struct Plan {
    sessions: usize,
    transactions: usize,
    writes_max: usize,
    len_max: u32,
}

impl<'a> Life<'a> {
    /// `engine` in `trouble`.
    pub fn new(engine: &'a dyn Engine, trouble: Trouble) -> Life<'a> {
        let of = match &trouble {
            Trouble::Alone(kind) => kind.name(),
            Trouble::Some(_) => "everything",
        };
        let name = format!("{} {} under {of}", engine.name(), engine.version());
        Life { engine, trouble, name }
    }

    /// Finds a life by the name that its bundle carries.
    pub fn named(engines: &'a [Box<dyn Engine>], name: &str) -> Option<Life<'a>> {
        let troubles = |engine| {
            let alone = FaultKind::ALL.iter().map(|kind| Trouble::Alone(*kind));
            alone.chain([Trouble::Some(crate::report::survivable(engine))]).collect::<Vec<_>>()
        };
        let lives = engines.iter().flat_map(|engine| {
            troubles(engine.as_ref()).into_iter().map(|trouble| Life::new(engine.as_ref(), trouble))
        });
        lives.into_iter().find(|life| life.name == name)
    }

    fn judged(&self) -> Judged {
        match &self.trouble {
            Trouble::Alone(kind) => Judged::under(*kind, self.engine),
            Trouble::Some(_) => Judged::Class,
        }
    }

    /// With one kind of fault alone, how often it fires is drawn here: every world has it.
    fn switch_faults_on(&self, world: &World) {
        let mut faults = match &self.trouble {
            Trouble::Some(_) => world.faults(),
            // A write is kept out of order when one before it was lost.
            Trouble::Alone(FaultKind::ReorderedWrite) => {
                Faults::none().with(FaultKind::ReorderedWrite, 1).with(FaultKind::LostWrite, 1)
            }
            Trouble::Alone(kind) if FaultKind::SHOWN_BY_CRASHES.contains(kind) => Faults::none().with(*kind, 1),
            Trouble::Alone(_) => Faults::crashes_only(),
        };
        if let Trouble::Alone(kind) = &self.trouble {
            if FaultKind::SHOWN_BY_CRASHES.contains(kind) {
                faults.set(FaultKind::PowerCut, world.knob("rate", &[3_000, 10_000, 30_000]));
            } else {
                faults.set(*kind, world.knob("rate", &[1_000, 5_000, 30_000]));
            }
        }
        // Half a minute each: more of them is only waiting.
        faults.set(FaultKind::StuckIo, faults.ppm(FaultKind::StuckIo).min(1_000));
        world.set_faults(faults);
    }
}

impl Workload for Life<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn faults(&self) -> Vec<FaultKind> {
        match &self.trouble {
            Trouble::Alone(_) => Vec::new(),
            Trouble::Some(kinds) => kinds.clone(),
        }
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        DeviceProfile::HONEST.to_vec()
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        self.switch_faults_on(world);
        let plan = Plan {
            sessions: world.knob("sessions", &[2, 3, 5]),
            transactions: world.knob("transactions", &[4, 12, 30]),
            writes_max: world.knob("writes", &[1, 4, 12]),
            len_max: world.knob("length", &[40, 3_000, 20_000, 300_000]),
        };
        let mut client = Client {
            promised: Promised::new(self.engine.keeps_what_it_shows(), self.judged().is_of_damage()),
            stats: Stats::default(),
            stamps: 0,
            world: world.handle(),
            judged: self.judged(),
            asks_again: matches!(&self.trouble, Trouble::Alone(kind) if self.engine.refuses_until_reopened(*kind)),
        };
        for _ in 0..plan.sessions {
            let session = || client.session(self.engine, &plan);
            match world.run_sync(session) {
                Ok(end) => end?,
                Err(Stop::Crashed(_)) => continue,
                Err(stop) => return Err(stop.into()),
            }
            world.crash(world.knob("end of session", &[CrashKind::Power, CrashKind::Process]));
        }
        world.crash(CrashKind::Power);
        world.heal();
        world.run_sync(|| client.epilogue(self.engine))??;
        Ok(client.stats)
    }
}

struct Client {
    promised: Promised,
    stats: Stats,
    stamps: u32,
    world: Handle,
    judged: Judged,
    /// After a commit that failed the same engine is asked for another.
    asks_again: bool,
}

impl Client {
    fn below(&self, site: &'static str, n: usize) -> usize {
        self.world.choices().pick(site, n)
    }

    /// One opening of the database, and more when an operation fails.
    fn session(&mut self, engine: &dyn Engine, plan: &Plan) -> Result<(), Violation> {
        let mut session = Session::new(engine, self.world.env_of(0)).asking_again(self.asks_again);
        for _ in 0..plan.transactions {
            if !session.is_open() && !self.open(&mut session)? {
                return Ok(());
            }
            if let Err(error) = self.step(&mut session, plan)? {
                self.world.note(format!("failed: {error}"));
            }
        }
        if session.is_open() && self.below("close", 2) == 1 {
            let end = session.close();
            self.world.note(format!("closed: {end:?}"));
        }
        Ok(())
    }

    /// Opens the database and judges what it shows; `false` when that has to wait for another session.
    fn open(&mut self, session: &mut Session<'_>) -> Result<bool, Violation> {
        if self.world.faults().enabled(FaultKind::ClockJump) && self.below("jump", 2) == 1 {
            self.world.jump_clock(self.below("jump to", 1_000_000_000) as i64 - 500_000_000);
        }
        let opened = session.open_patiently();
        self.world.note(format!("opened: {opened:?}"));
        if opened.is_err() {
            return Ok(false);
        }
        let judged = session.judge_opening(&mut self.promised)?;
        self.stats.checks += u64::from(judged.is_ok());
        Ok(judged.is_ok())
    }

    fn step(&mut self, session: &mut Session<'_>, plan: &Plan) -> Result<crate::engine::Result<()>, Violation> {
        match self.below("operation", 10) {
            0..=6 => {
                let transaction = self.transaction(plan);
                let end = session.commit(&transaction, &mut self.promised, |_| ());
                self.world.note(format!("committed {:?}: {end:?}", transaction.changes));
                self.stats.commits += u64::from(end.is_ok());
                match session.acknowledged_again() {
                    true => Err(Violation::new("a commit is acknowledged after one that failed, without a reopening")),
                    false => Ok(end),
                }
            }
            7 => session.get(self.below("key", KEYS) as u16, &self.promised),
            8 => match session.scan() {
                Ok(found) => self.promised.judge_open(&found).map(Ok),
                Err(error) => Ok(Err(error)),
            },
            _ => {
                let end = session.close();
                self.world.note(format!("closed: {end:?}"));
                Ok(end)
            }
        }
    }

    fn transaction(&mut self, plan: &Plan) -> Transaction {
        let mut changes = std::collections::BTreeMap::new();
        for _ in 0..=self.below("writes", plan.writes_max) {
            self.stamps += 1;
            let len = 4 + self.below("length", plan.len_max as usize) as u32;
            let value = (self.below("delete", 4) != 1).then_some(Value { stamp: self.stamps, len });
            changes.insert(self.below("key", KEYS) as u16, value);
        }
        Transaction { changes: changes.into_iter().collect(), durable: self.below("durable", 4) != 1 }
    }

    /// On a whole disk everything works.
    fn epilogue(&mut self, engine: &dyn Engine) -> Result<(), Violation> {
        let mut session = Session::new(engine, self.world.env_of(0));
        if self.judged == Judged::NothingInvented {
            // What was written wrongly stays so: it may be refused, but not shown.
            if session.open().is_ok() {
                drop(session.judge_opening(&mut self.promised)?);
            }
            return Ok(());
        }
        session.open().map_err(|error| Violation::new(format!("a healed disk does not open: {error}")))?;
        session.judge_opening(&mut self.promised)??;
        let plan = Plan { sessions: 0, transactions: 0, writes_max: 3, len_max: 9_000 };
        for _ in 0..2 {
            let transaction = Transaction { durable: true, ..self.transaction(&plan) };
            session.commit(&transaction, &mut self.promised, |_| ())?;
            self.promised.judge_open(&session.scan()?)?;
            session.close()?;
            session.open()?;
            session.judge_opening(&mut self.promised)??;
            self.stats.checks += 2;
        }
        session.close()?;
        Ok(())
    }
}
