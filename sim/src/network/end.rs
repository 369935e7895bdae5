//! One end of a connection: a small reliable byte stream, as a state machine that knows nothing of wires.
//!
//! ```text
//!   Connecting ──Accept──▶ Open ──┬─ shutdown: our bytes end, theirs may go on (half-closed)
//!        │                        ├─ both directions ended and acknowledged ──▶ finished
//!        └─ Refuse, time-out ─┐   └─ Reset, time-out ──┐
//!                             └──────────▶ failed ◀────┘
//!
//!   sending     0 ........ acked ......... sent ......... written         bytes between acked and written are kept
//!                 arrived        under way       no room at the peer      (window_end says how far the peer has room)
//!
//!   receiving   0 ........ read ......... received   ▒▒▒   ▒▒
//!                 taken          in the inbox        early: a segment before them is missing
//! ```
//!
//! What is not acknowledged is sent again, at growing intervals, until it is or patience ends. The receiver puts bytes in
//! order and throws away what it has already; so segments may be lost, doubled and shuffled, and whoever reads sees each
//! byte once, in its place, or an error. Differences from TCP: no congestion control, no delayed acknowledgements,
//! positions that do not wrap.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use helios_env::Instant;

use super::patience::{Due, Patience};
use super::segment::{EndId, Kind, Segment};
use super::{NetworkError, NetworkOptions};
use crate::choices::Choices;
use crate::core::Incarnation;
use crate::executor::NodeId;

/// What an end needs of the world while it moves.
pub(super) struct Surroundings<'a> {
    pub(super) now: Instant,
    pub(super) choices: &'a Choices,
    pub(super) options: &'a NetworkOptions,
    /// Segments to be sent.
    pub(super) out: Vec<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client has asked and not been answered.
    Connecting { port: u16 },
    /// Established.
    Open,
    /// Over, and the owner has yet to be told or has been.
    Failed(NetworkError),
}

/// See the [module](self).
pub(super) struct End {
    pub(super) id: EndId,
    pub(super) tag: u64,
    pub(super) node: NodeId,
    pub(super) peer: NodeId,
    pub(super) incarnation: Arc<Incarnation>,
    pub(super) phase: Phase,
    /// Whether a program has it; the others are the kernel's, which sees to it that what was written arrives.
    pub(super) owned: bool,
    /// When the timer of this end is going to fire.
    pub(super) timer_at: Option<Instant>,
    // Sending.
    outbox: VecDeque<u8>,
    acked: u64,
    sent: u64,
    written: u64,
    /// No more bytes will be written; the end of them takes the position `written`.
    closing: bool,
    window_end: u64,
    // Receiving.
    inbox: VecDeque<u8>,
    received: u64,
    early: BTreeMap<u64, Vec<u8>>,
    /// Where the peer's bytes end, once that is known.
    peer_end: Option<u64>,
    /// How far the peer was last told that it may send.
    promised: u64,
    patience: Patience,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl End {
    pub(super) fn new(
        id: EndId,
        [node, peer]: [NodeId; 2],
        incarnation: Arc<Incarnation>,
        phase: Phase,
        now: Instant,
    ) -> End {
        End {
            id,
            tag: 0,
            node,
            peer,
            incarnation,
            phase,
            owned: true,
            timer_at: None,
            outbox: VecDeque::new(),
            acked: 0,
            sent: 0,
            written: 0,
            closing: false,
            window_end: 0,
            inbox: VecDeque::new(),
            received: 0,
            early: BTreeMap::new(),
            peer_end: None,
            promised: 0,
            patience: Patience::new(now),
            reader: None,
            writer: None,
        }
    }

    /// The server's end gets the name of this life of its connection; the client has room for so much.
    pub(super) fn welcome(&mut self, tag: u64, window: u64) {
        self.tag = tag;
        self.window_end = window;
    }

    // ---- what a program does

    /// The client's first word.
    pub(super) fn connect(&mut self, around: &mut Surroundings<'_>) {
        self.begin_waiting(around);
        self.resend(around);
    }

    /// Whether the connection stands by now.
    pub(super) fn poll_connected(&mut self, context: &Context<'_>) -> Poll<Result<(), NetworkError>> {
        match self.phase {
            Phase::Open => Poll::Ready(Ok(())),
            Phase::Failed(error) => Poll::Ready(Err(error)),
            Phase::Connecting { .. } => {
                self.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Takes bytes out of the inbox; none at the end of all bytes.
    pub(super) fn poll_read(
        &mut self,
        buffer: &mut [u8],
        context: &Context<'_>,
        around: &mut Surroundings<'_>,
    ) -> Poll<Result<usize, NetworkError>> {
        let count = buffer.len().min(self.inbox.len());
        if count > 0 {
            for (place, byte) in buffer.iter_mut().zip(self.inbox.drain(..count)) {
                *place = byte;
            }
            // The peer may be waiting for room: it is told when there is room for a segment again.
            let room = self.promised.saturating_sub(self.received);
            if self.phase == Phase::Open && room < around.options.segment_bytes_max && self.window(around) > room {
                self.say(Kind::Ack, around);
            }
            return Poll::Ready(Ok(count));
        }
        match self.phase {
            Phase::Failed(error) if !self.is_at_end() => Poll::Ready(Err(error)),
            _ if self.is_at_end() || buffer.is_empty() => Poll::Ready(Ok(0)),
            _ => {
                self.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// How many bytes may be written now; waits while there is no room.
    pub(super) fn poll_room(
        &mut self,
        context: &Context<'_>,
        around: &Surroundings<'_>,
    ) -> Poll<Result<usize, NetworkError>> {
        let room = around.options.send_buffer_bytes.saturating_sub(self.outbox.len());
        match self.phase {
            Phase::Failed(error) => Poll::Ready(Err(error)),
            _ if self.closing => Poll::Ready(Err(NetworkError::Closed)),
            Phase::Open if room > 0 => Poll::Ready(Ok(room)),
            Phase::Open | Phase::Connecting { .. } => {
                self.writer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Whether all that was written has been acknowledged.
    pub(super) fn poll_flushed(&mut self, context: &Context<'_>) -> Poll<Result<(), NetworkError>> {
        match self.phase {
            Phase::Failed(error) => Poll::Ready(Err(error)),
            _ if self.acked >= self.written => Poll::Ready(Ok(())),
            _ => {
                self.writer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Accepts bytes for which there is room.
    pub(super) fn write(&mut self, bytes: &[u8], around: &mut Surroundings<'_>) {
        self.begin_waiting(around);
        self.outbox.extend(bytes);
        self.written += bytes.len() as u64;
        self.pump(around);
    }

    /// No more bytes will be written.
    pub(super) fn shut_down(&mut self, around: &mut Surroundings<'_>) {
        if !self.closing && self.phase == Phase::Open {
            self.begin_waiting(around);
            self.closing = true;
            self.pump(around);
            wake(&mut self.writer);
        }
    }

    /// Ends it at once, for both.
    pub(super) fn abort(&mut self, around: &mut Surroundings<'_>) {
        if self.phase == Phase::Open {
            self.say(Kind::Reset, around);
        }
        self.fail(NetworkError::Reset);
    }

    /// The program has let go of it: what was written still arrives, unless something that it never read is left.
    pub(super) fn release(&mut self, around: &mut Surroundings<'_>) {
        self.owned = false;
        match self.phase {
            Phase::Open if self.inbox.is_empty() => self.shut_down(around),
            _ => self.abort(around),
        }
    }

    /// Asks the peer whether it is there when nothing was heard for so long.
    pub(super) fn keep_alive(&mut self, idle: Duration, now: Instant) {
        self.patience.keep_alive(idle, now);
    }

    // ---- what it is

    /// Everything that will ever come has come.
    fn is_at_end(&self) -> bool {
        self.peer_end.is_some_and(|end| self.received > end)
    }

    /// Both directions have ended, and both sides know.
    pub(super) fn is_finished(&self) -> bool {
        self.closing && self.acked > self.written && self.is_at_end()
    }

    /// What a finished end answers to whoever has not heard its last word.
    pub(super) fn last_ack(&self) -> Segment {
        Segment { seq: self.sent, ack: self.received, ..Segment::bare(self.id.other(), Kind::Ack, self.tag) }
    }

    fn is_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed(_))
    }

    /// Whether something of ours has no answer yet.
    fn is_waiting(&self) -> bool {
        match self.phase {
            Phase::Connecting { .. } => true,
            Phase::Open => self.acked < self.written + u64::from(self.closing),
            Phase::Failed(_) => false,
        }
    }

    fn window(&self, around: &Surroundings<'_>) -> u64 {
        around.options.receive_buffer_bytes.saturating_sub(self.inbox.len() as u64)
    }

    // ---- what arrives

    /// A segment for this end of this connection (its tag fits).
    pub(super) fn receive(&mut self, segment: Segment, around: &mut Surroundings<'_>) {
        self.patience.heard(around.now);
        match (segment.kind, self.phase) {
            (_, Phase::Failed(_)) => {}
            (Kind::Refuse, Phase::Connecting { .. }) => self.fail(NetworkError::Refused),
            (Kind::Accept, Phase::Connecting { .. }) => {
                self.tag = segment.tag;
                self.phase = Phase::Open;
                self.patience.answered(around.now);
                self.window_end = segment.window;
                self.promised = self.window(around);
                wake(&mut self.reader);
                self.say(Kind::Ack, around);
            }
            // Bytes that overtook the answer will come again.
            (_, Phase::Connecting { .. }) | (Kind::Open { .. } | Kind::Refuse | Kind::Accept, _) => {}
            (Kind::Reset, _) => {
                // Linux lets what has arrived be read before the error, others throw it away.
                if around.choices.pick("network.unread", 2) == 1 {
                    self.inbox.clear();
                }
                self.fail(NetworkError::Reset);
            }
            (Kind::Ack, _) => self.acknowledged(&segment, around),
            (Kind::Probe, _) => {
                self.acknowledged(&segment, around);
                self.say(Kind::Ack, around);
            }
            (Kind::Data { fin }, _) => {
                self.acknowledged(&segment, around);
                self.take(segment.seq, segment.data, fin, around);
            }
        }
    }

    fn acknowledged(&mut self, segment: &Segment, around: &mut Surroundings<'_>) {
        if segment.ack > self.acked && segment.ack <= self.sent {
            let bytes = segment.ack.min(self.written) - self.acked.min(self.written);
            self.outbox.drain(..usize::try_from(bytes).expect("the outbox is in memory"));
            self.acked = segment.ack;
            self.patience.advanced(around.now, around.options);
            wake(&mut self.writer);
        } else if segment.kind == Kind::Ack && self.acked == self.sent {
            // It has no room, but it is there.
            self.patience.answered(around.now);
        }
        self.window_end = self.window_end.max(segment.ack + segment.window);
        self.pump(around);
    }

    /// Puts bytes where they belong.
    fn take(&mut self, seq: u64, data: Vec<u8>, fin: bool, around: &mut Surroundings<'_>) {
        let end = seq + data.len() as u64;
        if fin {
            self.peer_end = Some(end);
        }
        let is_new = end > self.received;
        if is_new && !self.owned {
            // Nobody will ever read it.
            self.abort(around);
            return;
        }
        if is_new {
            let longer = self.early.get(&seq).is_none_or(|there| there.len() < data.len());
            if longer {
                self.early.insert(seq, data);
            }
        }
        while let Some(first) = self.early.first_entry()
            && *first.key() <= self.received
        {
            let (seq, data) = first.remove_entry();
            let known = usize::try_from(self.received - seq).expect("a segment is in memory");
            if let Some(fresh) = data.get(known..) {
                self.inbox.extend(fresh);
                self.received += fresh.len() as u64;
            }
        }
        if self.peer_end == Some(self.received) {
            self.received += 1;
        }
        wake(&mut self.reader);
        self.say(Kind::Ack, around);
    }

    // ---- time

    /// When [`End::tick`] has something to do.
    pub(super) fn deadline(&self, options: &NetworkOptions) -> Option<Instant> {
        if self.is_failed() { None } else { self.patience.deadline(self.is_waiting(), options) }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, around: &mut Surroundings<'_>) {
        match self.patience.due(self.is_waiting(), around.now, around.options) {
            Some(Due::GiveUp) => self.fail(NetworkError::TimedOut),
            Some(Due::Resend) => self.resend(around),
            Some(Due::Probe) => self.say(Kind::Probe, around),
            None => {}
        }
    }

    fn begin_waiting(&mut self, around: &Surroundings<'_>) {
        if !self.is_waiting() || matches!(self.phase, Phase::Connecting { .. }) {
            self.patience.advanced(around.now, around.options);
        }
    }

    pub(super) fn fail(&mut self, error: NetworkError) {
        if !self.is_failed() {
            self.phase = Phase::Failed(error);
            self.outbox.clear();
            self.early.clear();
        }
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    // ---- what is sent

    /// Sends what was never sent and what the peer has room for.
    fn pump(&mut self, around: &mut Surroundings<'_>) {
        if self.phase != Phase::Open {
            return;
        }
        loop {
            let room = self.written.min(self.window_end).saturating_sub(self.sent);
            if room == 0 {
                break;
            }
            let most = room.min(around.options.segment_bytes_max);
            let len = cut(around.choices, most);
            self.send_bytes(self.sent, len, around);
        }
        if self.closing && self.sent == self.written {
            self.send_bytes(self.sent, 0, around);
        }
    }

    /// Sends `len` bytes at `seq`, and with the last of all bytes the word that they are the last.
    fn send_bytes(&mut self, seq: u64, len: u64, around: &mut Surroundings<'_>) {
        let end = seq + len;
        let fin = self.closing && end == self.written;
        let from = usize::try_from(seq - self.acked.min(self.written)).expect("the outbox is in memory");
        let data: Vec<u8> = self.outbox.iter().skip(from).take(len as usize).copied().collect();
        debug_assert_eq!(data.len() as u64, len, "what is not acknowledged is kept");
        self.sent = self.sent.max(end + u64::from(fin));
        self.emit(Kind::Data { fin }, seq, data, around);
    }

    /// Sends again what has had no answer: the oldest of it.
    fn resend(&mut self, around: &mut Surroundings<'_>) {
        match self.phase {
            Phase::Connecting { port } => self.emit(Kind::Open { port }, 0, Vec::new(), around),
            Phase::Open if self.acked < self.sent => {
                let len = (self.sent.min(self.written) - self.acked).min(around.options.segment_bytes_max);
                self.send_bytes(self.acked, len, around);
            }
            Phase::Open => self.say(Kind::Probe, around),
            Phase::Failed(_) => {}
        }
    }

    /// A segment without bytes.
    pub(super) fn say(&mut self, kind: Kind, around: &mut Surroundings<'_>) {
        self.emit(kind, self.sent, Vec::new(), around);
    }

    fn emit(&mut self, kind: Kind, seq: u64, data: Vec<u8>, around: &mut Surroundings<'_>) {
        let window = self.window(around);
        self.promised = self.promised.max(self.received + window);
        let to = self.id.other();
        around.out.push(Segment { to, kind, tag: self.tag, seq, ack: self.received, window, data });
    }
}

/// How many of `most` bytes go into one segment: usually all.
fn cut(choices: &Choices, most: u64) -> u64 {
    if most > 1 && choices.pick_weighted("network.cut", &[7, 1]) == 1 {
        1 + choices.pick("network.cut at", most as usize - 1) as u64
    } else {
        most
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
