//! The machines: who listens, which connections there are, and where a segment goes that arrives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use helios_env::Instant;

use super::end::{End, Phase, Surroundings};
use super::segment::{EndId, Kind, Segment, Side};
use super::wire::{self, FOREVER, Flight, Link};
use super::{NetworkError, NetworkOptions};
use crate::core::{Core, CrashKind, Incarnation};
use crate::executor::NodeId;
use crate::trace::Event;

/// How long a machine whose power failed takes until it answers again.
const BOOTS_MILLIS: [u64; 5] = [0, 10, 1_000, 8_000, 45_000];
const BOOT_WEIGHTS: [u32; 5] = [40, 30, 20, 8, 2];

/// See the [module](self).
#[derive(Default)]
pub(super) struct Hosts {
    pub(super) options: NetworkOptions,
    nodes: Vec<Host>,
    listeners: BTreeMap<(NodeId, u16), Listening>,
    ends: BTreeMap<EndId, End>,
    /// The last words of connections that both sides have ended, for whoever has not heard them.
    finished: BTreeMap<EndId, (NodeId, Segment)>,
    links: BTreeMap<(NodeId, NodeId), Link>,
    connections: u64,
    tags: u64,
    listeners_made: u64,
}

struct Host {
    incarnation: Arc<Incarnation>,
    /// When a machine that boots is up.
    up_at: Instant,
    /// Whether it has ever used the network: the others draw nothing when they crash.
    is_used: bool,
}

struct Listening {
    number: u64,
    incarnation: Arc<Incarnation>,
    queue: VecDeque<EndId>,
    acceptor: Option<Waker>,
}

impl Hosts {
    // ---- nodes

    pub(super) fn begin(&mut self, incarnation: &Arc<Incarnation>) {
        match self.nodes.get_mut(incarnation.node) {
            Some(host) => host.incarnation = incarnation.clone(),
            None => self.nodes.push(Host { incarnation: incarnation.clone(), up_at: Instant(0), is_used: false }),
        }
    }

    /// A killed process's kernel closes what it had; after a power cut nobody knows of it.
    pub(super) fn crash(&mut self, core: &Arc<Core>, node: NodeId, kind: CrashKind) {
        self.listeners.retain(|(of, _), _| *of != node);
        let ids: Vec<EndId> = self.ends.values().filter(|end| end.node == node).map(|end| end.id).collect();
        match kind {
            CrashKind::Process => {
                for id in ids {
                    self.act(core, id, |end, around| {
                        if end.owned {
                            end.release(around)
                        }
                    });
                }
            }
            CrashKind::Power => {
                ids.iter().for_each(|id| drop(self.ends.remove(id)));
                self.finished.retain(|_, (of, _)| *of != node);
                if self.nodes[node].is_used {
                    let boot = BOOTS_MILLIS[core.choices.pick_weighted("network.boot", &BOOT_WEIGHTS)];
                    self.nodes[node].up_at = core.timeline.now() + Duration::from_millis(boot);
                }
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.mend();
        self.nodes.iter_mut().for_each(|host| host.up_at = Instant(0));
    }

    pub(super) fn is_down(&self, node: NodeId, now: Instant) -> bool {
        self.nodes[node].up_at > now
    }

    pub(super) fn ends_of(&self, node: NodeId) -> usize {
        self.ends.values().filter(|end| end.node == node).count()
    }

    // ---- links

    pub(super) fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        self.links.entry((from, to)).or_default()
    }

    pub(super) fn cut(&mut self, from: NodeId, to: NodeId, until: Option<Instant>) {
        let link = self.link(from, to);
        link.cut_until = link.cut_until.max(Some(until.unwrap_or(FOREVER)));
    }

    pub(super) fn mend(&mut self) {
        self.links.values_mut().for_each(|link| link.cut_until = None);
    }

    // ---- listeners

    pub(super) fn listen(&mut self, node: NodeId, port: u16) -> Result<u64, NetworkError> {
        if self.listener(node, port).is_some() {
            return Err(NetworkError::AddressInUse);
        }
        self.nodes[node].is_used = true;
        self.listeners_made += 1;
        let number = self.listeners_made;
        let incarnation = self.nodes[node].incarnation.clone();
        let listening = Listening { number, incarnation, queue: VecDeque::new(), acceptor: None };
        self.listeners.insert((node, port), listening);
        Ok(number)
    }

    fn listener(&mut self, node: NodeId, port: u16) -> Option<&mut Listening> {
        self.listeners.get_mut(&(node, port)).filter(|listening| !listening.incarnation.is_dead())
    }

    pub(super) fn poll_accept(
        &mut self,
        (node, port): (NodeId, u16),
        number: u64,
        context: &Context<'_>,
    ) -> Poll<EndId> {
        let Some(listening) = self.listener(node, port).filter(|listening| listening.number == number) else {
            return Poll::Pending;
        };
        match listening.queue.pop_front() {
            Some(id) => Poll::Ready(id),
            None => {
                listening.acceptor = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn stop_listening(&mut self, core: &Arc<Core>, key: (NodeId, u16), number: u64) {
        let is_ours = |listening: &&mut Listening| listening.number == number;
        let Some(listening) = self.listener(key.0, key.1).filter(is_ours) else { return };
        let waiting = std::mem::take(&mut listening.queue);
        self.listeners.remove(&key);
        for id in waiting {
            self.act(core, id, |end, around| {
                end.owned = false;
                end.abort(around);
            });
        }
    }

    // ---- connections

    pub(super) fn connect(&mut self, core: &Arc<Core>, from: NodeId, to: NodeId, port: u16) -> EndId {
        let id = EndId { connection: self.connections, side: Side::Client };
        self.connections += 1;
        self.nodes[from].is_used = true;
        let incarnation = self.nodes[from].incarnation.clone();
        let is_dead = incarnation.is_dead();
        let end = End::new(id, [from, to], incarnation, Phase::Connecting { port }, core.timeline.now());
        self.ends.insert(id, end);
        if !is_dead {
            core.record(Event::Connection { connection: id.connection, node: from, what: "asked for" });
            self.act(core, id, End::connect);
        }
        id
    }

    /// Whether the end's node has crashed since its program got it.
    pub(super) fn is_dead(&self, id: EndId) -> bool {
        self.ends.get(&id).is_none_or(|end| end.incarnation.is_dead())
    }

    /// A program drops its stream.
    pub(super) fn release(&mut self, core: &Arc<Core>, id: EndId) {
        if !self.is_dead(id) {
            self.act(core, id, End::release);
        }
    }

    /// Lets something happen to an end, and sees to what follows from it. `None` when there is no such end.
    pub(super) fn act<T>(
        &mut self,
        core: &Arc<Core>,
        id: EndId,
        act: impl FnOnce(&mut End, &mut Surroundings<'_>) -> T,
    ) -> Option<T> {
        let end = self.ends.get_mut(&id)?;
        let now = core.timeline.now();
        let mut around = Surroundings { now, choices: &core.choices, options: &self.options, out: Vec::new() };
        let before = end.phase;
        let outcome = act(end, &mut around);
        let out = around.out;
        let (node, peer) = (end.node, end.peer);
        if before != end.phase {
            let what = match end.phase {
                Phase::Failed(error) => error.name(),
                _ => "established",
            };
            core.record(Event::Connection { connection: id.connection, node, what });
        }
        if let Some(deadline) = end.deadline(&self.options)
            && end.timer_at.is_none_or(|at| at > deadline)
        {
            end.timer_at = Some(deadline);
            let world = core.clone();
            let tick = move || world.network.0.lock().tick(&world, id, deadline);
            core.timeline.schedule_at(deadline, Box::new(tick));
        }
        if !end.owned && (end.is_finished() || matches!(end.phase, Phase::Failed(_))) {
            if end.is_finished() {
                self.finished.insert(id, (node, end.last_ack()));
            }
            self.ends.remove(&id);
        }
        for segment in out {
            wire::send(core, self, node, peer, segment);
        }
        Some(outcome)
    }

    fn tick(&mut self, core: &Arc<Core>, id: EndId, at: Instant) {
        let is_current = |end: &&mut End| end.timer_at == Some(at);
        let Some(end) = self.ends.get_mut(&id).filter(is_current) else { return };
        end.timer_at = None;
        let is_due = end.deadline(&self.options).is_some_and(|deadline| deadline <= at);
        self.act(core, id, |end, around| {
            if is_due {
                end.tick(around);
            }
        });
    }

    // ---- segments

    /// A segment has come to its node.
    pub(super) fn arrive(&mut self, core: &Arc<Core>, flight: Flight) {
        let Flight { from, to, segment, .. } = flight;
        if let Kind::Open { port } = segment.kind {
            self.open(core, [from, to], port, &segment);
            return;
        }
        let id = segment.to;
        match self.ends.get(&id) {
            Some(end) if !matches!(end.phase, Phase::Failed(_)) => {
                let is_connecting = matches!(end.phase, Phase::Connecting { .. });
                if is_connecting || end.tag == segment.tag {
                    self.act(core, id, |end, around| end.receive(segment, around));
                    return;
                }
            }
            None => {
                if let Some((_, last)) = self.finished.get(&id)
                    && last.tag == segment.tag
                {
                    if matches!(segment.kind, Kind::Data { .. } | Kind::Probe) {
                        let last = last.clone();
                        wire::send(core, self, to, from, last);
                    }
                    return;
                }
            }
            Some(_) => {}
        }
        if !matches!(segment.kind, Kind::Reset | Kind::Refuse) {
            wire::send(core, self, to, from, Segment::bare(id.other(), Kind::Reset, segment.tag));
        }
    }

    /// Somebody asks for a connection, perhaps not for the first time.
    fn open(&mut self, core: &Arc<Core>, [from, to]: [NodeId; 2], port: u16, segment: &Segment) {
        let id = segment.to;
        if let Some(end) = self.ends.get(&id) {
            if end.phase == Phase::Open {
                self.act(core, id, |end, around| end.say(Kind::Accept, around));
            }
            return;
        }
        if self.finished.contains_key(&id) {
            return;
        }
        let backlog = self.options.backlog;
        self.tags += 1;
        let tag = self.tags;
        let now = core.timeline.now();
        let Some(listening) = self.listener(to, port) else {
            wire::send(core, self, to, from, Segment::bare(id.other(), Kind::Refuse, 0));
            return;
        };
        if listening.queue.len() >= backlog {
            return;
        }
        listening.queue.push_back(id);
        if let Some(acceptor) = listening.acceptor.take() {
            acceptor.wake();
        }
        let mut end = End::new(id, [to, from], listening.incarnation.clone(), Phase::Open, now);
        end.welcome(tag, segment.window);
        self.ends.insert(id, end);
        core.record(Event::Connection { connection: id.connection, node: to, what: "accepted" });
        self.act(core, id, |end, around| end.say(Kind::Accept, around));
    }
}
