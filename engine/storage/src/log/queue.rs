//! The queue in front of the log, and who drives it: leader-based group commit.
//!
//! One *driver* (an async loop, `Driver::run`) takes what has queued, writes it as one batch, syncs once and answers
//! everybody. It belongs to the log. A driver must be polled to make progress, and no task of its own does that: the
//! first committer to arrive polls it and so becomes the *leader*; everybody who arrives meanwhile only waits.
//!
//! ```text
//!   committer A   enqueue ─ lead: poll driver ── write+sync ──▶ A's answer; step down, wake B
//!   committer B        enqueue ─ wait ─────────────────────────────▶ lead: poll driver ── write+sync ──▶ B's answer
//!   committer C             enqueue ─ wait ──────────────────────────── (same batch as B) ────────────▶ C's answer
//! ```
//!
//! A lone committer thus pays no hop between threads, and a crowd pays one sync per batch. The state lives here, never
//! in a committer's future:
//!
//! * A leader that has its answer steps down and wakes one who still waits, who takes the driver over.
//! * A leader that is dropped (its statement was cancelled) does the same. A batch under way goes on: its I/O is held by
//!   the driver, not by the leader.
//! * If nobody waits but work is left, a background task leads until the queue is empty.
//!
//! So from the moment a transaction is enqueued the log decides its outcome; who waits for it, if anybody, does not
//! matter. The one duty of a waiter is to be polled when woken, or dropped.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use helios_env::sync::{Arc, Mutex, Weak};
use helios_env::{BoxFuture, Env};

use crate::{CommitTs, Durability, Error, Result, WriteBatch};

/// What the driver is asked to do.
#[derive(Debug)]
pub(crate) enum Request {
    /// Log, apply and publish a transaction.
    Commit { batch: Box<WriteBatch>, durability: Durability },
    /// Make everything logged so far durable.
    Sync,
    /// Begin a new memtable, so that the one so far can be flushed.
    Rotate,
    /// Seal the log: the last request.
    Seal,
}

/// A request in the queue, or under way.
pub(super) struct Queued {
    pub(super) request: Request,
    pub(super) bytes: usize,
    pub(super) slot: Arc<Slot>,
}

/// Where a request's outcome arrives.
pub(super) struct Slot(Mutex<SlotState>);

struct SlotState {
    outcome: Option<Result<CommitTs>>,
    /// Of the task that waits, unless it leads. `None` also once the waiter is gone.
    waker: Option<Waker>,
}

impl Slot {
    fn new() -> Arc<Slot> {
        Arc::new(Slot(Mutex::new(SlotState { outcome: None, waker: None })))
    }

    /// Answers.
    pub(super) fn complete(&self, outcome: Result<CommitTs>) {
        let mut state = self.0.lock();
        state.outcome = Some(outcome);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes the waiter, if one waits unanswered.
    fn wake(&self) -> bool {
        match &self.0.lock().waker {
            Some(waker) => {
                waker.wake_by_ref();
                true
            }
            None => false,
        }
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Queued>,
    /// Slots of the batch under way.
    under_way: Vec<Arc<Slot>>,
    /// The driver found the queue empty and waits for more.
    idle: bool,
    /// Who polls the driver, by the address of its slot; 0 is nobody.
    leader: usize,
    closed: bool,
}

/// The driver's end of the queue.
pub(super) struct Queue {
    state: Mutex<State>,
}

impl Queue {
    /// Waits until something has queued and moves it to `group`: everything, but no further commit once `max` bytes
    /// are reached.
    pub(super) async fn next_group(&self, group: &mut Vec<Queued>, max: usize) {
        std::future::poll_fn(|_| {
            // No waker is kept: whoever enqueues polls the driver, or wakes up who does.
            let mut state = self.state.lock();
            state.idle = state.waiting.is_empty();
            if state.idle { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        let mut state = self.state.lock();
        let mut bytes = 0;
        while let Some(next) = state.waiting.front() {
            if !group.is_empty() && bytes + next.bytes > max {
                break;
            }
            bytes += next.bytes;
            let next = state.waiting.pop_front().expect("its front was just seen");
            state.under_way.push(next.slot.clone());
            let is_barrier = !matches!(next.request, Request::Commit { .. });
            group.push(next);
            if is_barrier {
                break;
            }
        }
    }

    /// The batch under way has been answered.
    pub(super) fn group_is_done(&self) {
        self.state.lock().under_way.clear();
    }

    fn close(&self) {
        self.state.lock().closed = true;
    }
}

/// The log as committers see it.
pub(crate) struct Log {
    env: Env,
    queue: Arc<Queue>,
    /// Polled by the leader only, so the lock is never waited for long.
    driver: Mutex<BoxFuture<'static, ()>>,
}

impl Log {
    /// A log whose driver `make_driver` makes from its end of the queue.
    pub(super) fn new(env: Env, make_driver: impl FnOnce(Arc<Queue>, Weak<Log>) -> BoxFuture<'static, ()>) -> Arc<Log> {
        let queue = Arc::new(Queue { state: Mutex::default() });
        Arc::new_cyclic(|log| {
            let driver = Mutex::new(make_driver(queue.clone(), log.clone()));
            Log { env, queue, driver }
        })
    }

    /// Puts a request into the queue; `bytes` is its size in the log, roughly.
    pub(crate) fn enqueue(self: &Arc<Self>, request: Request, bytes: usize) -> Committing {
        let slot = Slot::new();
        let mut state = self.queue.state.lock();
        if state.closed {
            drop(state);
            return Committing::ready(Err(Error::Closed));
        }
        state.closed = matches!(request, Request::Seal);
        state.waiting.push_back(Queued { request, bytes, slot: slot.clone() });
        drop(state);
        Committing(Wait::Enqueued { log: self.clone(), slot })
    }

    /// Refuses every request from now on.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Polls the driver, unless somebody else leads.
    fn lead(&self, slot: &Arc<Slot>, cx: &mut Context<'_>) -> Leadership {
        let me = identity_of(slot);
        loop {
            {
                let mut state = self.queue.state.lock();
                if state.leader != 0 && state.leader != me {
                    return Leadership::SomebodyElse;
                }
                state.leader = me;
            }
            // The driver's I/O wakes a leader, and its own answer it sees by itself.
            slot.0.lock().waker = None;
            let driver_is_done = self.driver.lock().as_mut().poll(cx).is_ready();
            assert!(!driver_is_done, "the log's driver runs for ever");
            let mut state = self.queue.state.lock();
            if !state.idle {
                return Leadership::Mine;
            }
            if state.waiting.is_empty() {
                state.leader = 0;
                return Leadership::NobodyNeeded;
            }
            // Somebody enqueued after the driver had looked, and saw us lead: look again.
        }
    }

    /// `me` will not poll the driver any more: if there is work, somebody else must.
    fn hand_on(self: &Arc<Self>, me: usize) {
        let mut state = self.queue.state.lock();
        if state.leader == me {
            state.leader = 0;
        }
        let has_work = !state.idle || !state.waiting.is_empty();
        if state.leader != 0 || !has_work || state.untouched() {
            return;
        }
        let waiting = state.waiting.iter().map(|queued| &queued.slot);
        let heir = state.under_way.iter().chain(waiting).find(|slot| slot.wake());
        if heir.is_some() {
            self.env.sometimes("storage: leadership of the log was handed on");
            return;
        }
        drop(state);
        self.env.sometimes("storage: the log was driven in the background");
        let background = Background { log: self.clone(), slot: Slot::new() };
        drop(self.env.spawn("log-driver", background));
    }
}

impl State {
    /// Whether nothing was ever enqueued: the driver has not been polled yet, so `idle` is not set.
    fn untouched(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }
}

enum Leadership {
    /// Somebody else polls the driver.
    SomebodyElse,
    /// This task does: the driver waits for I/O and will wake it.
    Mine,
    /// The queue is empty.
    NobodyNeeded,
}

fn identity_of(slot: &Arc<Slot>) -> usize {
    Arc::as_ptr(slot) as usize
}

/// A transaction that the log has taken over. Dropping it only stops the waiting: the log decides the outcome. While it
/// lives it must be polled when woken, as it may be driving the log for others.
#[must_use = "whether the commit succeeded is known when this is awaited"]
pub struct Committing(Wait);

enum Wait {
    Ready(Result<CommitTs>),
    Enqueued { log: Arc<Log>, slot: Arc<Slot> },
    Done,
}

impl Committing {
    /// An outcome that is known already.
    pub(crate) fn ready(outcome: Result<CommitTs>) -> Committing {
        Committing(Wait::Ready(outcome))
    }
}

impl Future for Committing {
    type Output = Result<CommitTs>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<CommitTs>> {
        match std::mem::replace(&mut self.0, Wait::Done) {
            Wait::Ready(outcome) => Poll::Ready(outcome),
            Wait::Done => panic!("a commit is not polled after it was ready"),
            Wait::Enqueued { log, slot } => {
                let outcome = poll_slot(&log, &slot, cx);
                if outcome.is_pending() {
                    self.0 = Wait::Enqueued { log, slot };
                }
                outcome
            }
        }
    }
}

fn poll_slot(log: &Arc<Log>, slot: &Arc<Slot>, cx: &mut Context<'_>) -> Poll<Result<CommitTs>> {
    let mut outcome = {
        let mut state = slot.0.lock();
        // Before asking who leads: a leader that steps down in between looks for this waker.
        state.waker = Some(cx.waker().clone());
        state.outcome.take()
    };
    if outcome.is_none() {
        outcome = match log.lead(slot, cx) {
            Leadership::SomebodyElse => return Poll::Pending,
            Leadership::Mine | Leadership::NobodyNeeded => slot.0.lock().outcome.take(),
        };
    }
    let Some(outcome) = outcome else { return Poll::Pending };
    log.hand_on(identity_of(slot));
    Poll::Ready(outcome)
}

impl Drop for Committing {
    fn drop(&mut self) {
        if let Wait::Enqueued { log, slot } = &self.0 {
            slot.0.lock().waker = None;
            log.hand_on(identity_of(slot));
        }
    }
}

/// Leads until the queue is empty, when nobody who waits can.
struct Background {
    log: Arc<Log>,
    slot: Arc<Slot>,
}

impl Future for Background {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.log.lead(&self.slot, cx) {
            Leadership::Mine => Poll::Pending,
            Leadership::SomebodyElse | Leadership::NobodyNeeded => Poll::Ready(()),
        }
    }
}
