//! Clients of a store, one step of one of them at a time, in an order that a seed decides.

use helios_isolation::{History, Isolation, Object, Operation, Outcome, Statement, Transaction};

use crate::store::{Mistake, Refusal, Store};

const CLIENTS: usize = 5;
const TRANSACTIONS: usize = 60;
/// Steps for which a client waits for a lock before it gives up, as in a deadlock.
const PATIENCE: u32 = 12;

/// Steele and others, "Fast splittable pseudorandom number generators", 2014.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What a client will do next.
#[derive(Clone, Copy)]
enum Step {
    Statement,
    Read(Object, bool),
    /// With what it replaces, or without.
    Write(Object, bool),
    Savepoint,
    RollBackTo,
    Release,
    End {
        commits: bool,
    },
}

/// A client: its transaction and what is left to do, the last step first.
#[derive(Default)]
struct Client {
    transaction: Option<usize>,
    steps: Vec<Step>,
    waited: u32,
}

struct Interleaver {
    random: Random,
    store: Store,
    history: History,
    clock: u64,
    values: i64,
}

/// What happens to a store in the order that this seed decides, and how it looks in the end.
pub(crate) fn live(isolation: Isolation, mistake: Mistake, seed: u64) -> History {
    let (random, store) = (Random(seed), Store::new(isolation, mistake));
    let mut world = Interleaver { random, store, history: History::default(), clock: 0, values: 0 };
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::default()).collect();
    while world.history.transactions.len() < TRANSACTIONS || clients.iter().any(|client| client.transaction.is_some()) {
        let number = world.random.below(CLIENTS as u64) as usize;
        world.step(number, &mut clients[number]);
        if world.random.one_in(150) {
            world.store.crash();
        }
    }
    let mut last = Client::default();
    world.begin(CLIENTS, &mut last);
    last.steps = vec![Step::End { commits: true }];
    last.steps.extend(objects().map(|object| Step::Read(object, false)));
    last.steps.push(Step::Statement);
    while last.transaction.is_some() {
        world.step(CLIENTS, &mut last);
    }
    world.history
}

fn objects() -> impl Iterator<Item = Object> + Clone {
    (0..3).flat_map(|number| [Object::List(number), Object::Register(number)])
}

impl Interleaver {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn object(&mut self) -> Object {
        let place = self.random.below(6) as usize;
        objects().nth(place).expect("there are six")
    }

    fn begin(&mut self, number: usize, client: &mut Client) {
        let index = self.history.transactions.len();
        let invoked = self.tick();
        self.history.transactions.push(Transaction {
            session: number as u32,
            invoked,
            completed: None,
            isolation: None,
            outcome: Outcome::Aborted,
            statements: Vec::new(),
        });
        self.store.begin(index);
        client.transaction = Some(index);
    }

    /// What a transaction will do.
    fn plan(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut saved = 0;
        for _ in 0..1 + self.random.below(4) {
            match self.random.below(12) {
                0 => {
                    steps.push(Step::Savepoint);
                    saved += 1;
                }
                1 if saved > 0 => steps.push(Step::RollBackTo),
                2 if saved > 0 => {
                    steps.push(Step::Release);
                    saved -= 1;
                }
                3 => steps.extend([Step::Statement, Step::Read(self.object(), true)]),
                4..=7 => {
                    steps.push(Step::Statement);
                    let (first, count) = (self.random.below(6) as usize, 1 + self.random.below(3) as usize);
                    steps.extend(objects().cycle().skip(first).take(count).map(|object| Step::Read(object, false)));
                }
                _ => {
                    let replaces = self.random.one_in(2);
                    steps.extend([Step::Statement, Step::Write(self.object(), replaces)]);
                }
            }
        }
        steps.push(Step::End { commits: !self.random.one_in(8) });
        steps.reverse();
        steps
    }

    fn note(&mut self, index: usize, operation: Operation) {
        let statements = &mut self.history.transactions[index].statements;
        if statements.is_empty() {
            statements.push(Statement::default());
        }
        statements.last_mut().expect("there is one").operations.push(operation);
    }

    fn step(&mut self, number: usize, client: &mut Client) {
        let Some(index) = client.transaction else {
            if self.history.transactions.len() < TRANSACTIONS {
                self.begin(number, client);
                client.steps = self.plan();
            }
            return;
        };
        let step = *client.steps.last().expect("a transaction ends with its last step");
        match self.make(index, step) {
            Ok(()) => {
                client.waited = 0;
                client.steps.pop();
            }
            Err(Refusal::Busy) if client.waited < PATIENCE => client.waited += 1,
            Err(_) => {
                self.end(index, false);
                client.steps.clear();
            }
        }
        if client.steps.is_empty() {
            *client = Client::default();
        }
    }

    fn make(&mut self, index: usize, step: Step) -> Result<(), Refusal> {
        match step {
            Step::Statement => {
                let invoked = Some(self.tick());
                let lucky = self.random.one_in(3);
                self.store.statement(index, lucky);
                self.history.transactions[index].statements.push(Statement { invoked, operations: Vec::new() });
            }
            Step::Read(object, locking) => {
                let lucky = self.random.one_in(40);
                let seen = self.store.read(index, object, locking, lucky)?;
                self.note(index, Operation::Read { object, seen, locking });
            }
            Step::Write(object, true) if self.store.has(Mistake::StatementSeesItself) => {
                self.values += 1;
                let value = self.values;
                self.store.write(index, object, value)?;
                let seen = self.store.read(index, object, true, false)?;
                self.note(index, Operation::lock(object, seen));
                self.note(index, Operation::write(object, value));
            }
            Step::Write(object, replaces) => {
                if replaces {
                    let seen = self.store.read(index, object, true, false)?;
                    self.note(index, Operation::lock(object, seen));
                }
                self.values += 1;
                let value = self.values;
                self.store.write(index, object, value)?;
                self.note(index, Operation::write(object, value));
            }
            Step::Savepoint => {
                self.store.savepoint(index);
                self.note(index, Operation::Savepoint);
            }
            Step::RollBackTo => {
                self.store.roll_back_to(index);
                self.note(index, Operation::RollBackTo);
            }
            Step::Release => {
                self.store.release_savepoint(index);
                self.note(index, Operation::Release);
            }
            Step::End { commits } => self.end(index, commits),
        }
        Ok(())
    }

    fn end(&mut self, index: usize, commits: bool) {
        let is_unknown = commits && self.random.one_in(16);
        let happens = commits && !(is_unknown && self.random.one_in(2));
        let outcome = if happens { self.store.commit(index, is_unknown) } else { Err(Refusal::Serialization) };
        if outcome.is_err() && self.store.is_under_way(index) {
            self.store.roll_back(index);
        }
        let completed = self.tick();
        let transaction = &mut self.history.transactions[index];
        transaction.outcome = match outcome {
            _ if is_unknown => Outcome::Unknown,
            Ok(()) => Outcome::Committed,
            Err(_) => Outcome::Aborted,
        };
        transaction.completed = (!is_unknown).then_some(completed);
    }
}
