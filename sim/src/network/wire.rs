//! The way from one node to another: how long it takes, and what happens to a segment on it.
//!
//! Segments of one direction arrive in the order in which they were sent, whatever their latencies, as on most real
//! paths; reordering is a fault. So is everything else here but latency.

use std::sync::Arc;
use std::time::Duration;

use helios_env::Instant;

use super::hosts::Hosts;
use super::segment::Segment;
use crate::core::Core;
use crate::executor::NodeId;
use crate::faults::FaultKind;
use crate::trace::Event;

/// Within one machine.
const LOOPBACK: Duration = Duration::from_micros(10);
/// Between two: usually a local network's.
const LATENCIES_MICROS: [u64; 6] = [50, 100, 200, 500, 2_000, 10_000];
const LATENCY_WEIGHTS: [u32; 6] = [30, 30, 20, 10, 5, 1];
/// How much longer a delayed segment takes, and all behind it.
const DELAYS_MILLIS: [u64; 4] = [20, 200, 1_000, 6_000];
/// How long a reordered segment is held back while others pass it.
const HOLDS_MICROS: [u64; 4] = [1_000, 5_000, 50_000, 500_000];
/// How much later a segment arrives for the second time.
const ECHOES_MICROS: [u64; 4] = [10, 1_000, 100_000, 2_000_000];
/// How long a partition lasts: the longest outlast a connection's patience.
const PARTITIONS_MILLIS: [u64; 4] = [50, 1_000, 8_000, 45_000];
const PARTITION_WEIGHTS: [u32; 4] = [40, 30, 20, 10];

const ON_THE_WAY: [FaultKind; 6] = [
    FaultKind::NetworkDelay,
    FaultKind::SegmentLoss,
    FaultKind::SegmentDuplication,
    FaultKind::SegmentReordering,
    FaultKind::OneWayPartition,
    FaultKind::Partition,
];

/// One direction between two nodes.
#[derive(Default)]
pub(super) struct Link {
    /// Until when nothing passes.
    pub(super) cut_until: Option<Instant>,
    /// When the last segment that keeps its place arrives.
    last_arrival: Instant,
    sent: u64,
    /// One more than the number of the latest-sent segment that has arrived.
    arrived: u64,
}

/// A segment under way.
pub(super) struct Flight {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) segment: Segment,
    began: Instant,
    number: u64,
    /// Held back, so that others may pass.
    held: bool,
}

/// Until when a cut lasts that nobody has said the end of.
pub(super) const FOREVER: Instant = Instant(u64::MAX);

/// Sends a segment on its way.
pub(super) fn send(core: &Arc<Core>, hosts: &mut Hosts, from: NodeId, to: NodeId, segment: Segment) {
    let now = core.timeline.now();
    let number = hosts.link(from, to).next_number();
    let mut flight = Flight { from, to, segment, began: now, number, held: false };
    if from == to {
        schedule(core, flight, now + LOOPBACK);
        return;
    }
    let pick = |site, times: &[u64]| times[core.choices.pick(site, times.len())];
    let fault = if hosts.link(from, to).is_cut(now) { None } else { core.draw("network.way", &ON_THE_WAY) };
    if let Some(kind @ (FaultKind::OneWayPartition | FaultKind::Partition)) = fault {
        let lasts = PARTITIONS_MILLIS[core.choices.pick_weighted("network.partition", &PARTITION_WEIGHTS)];
        let until = Some(now + Duration::from_millis(lasts));
        hosts.cut(from, to, until);
        if kind == FaultKind::Partition {
            hosts.cut(to, from, until);
        }
        core.fired(kind);
    }
    if hosts.link(from, to).is_cut(now) {
        flight.record(core, "cut off");
        return;
    }
    let latency = LATENCIES_MICROS[core.choices.pick_weighted("network.latency", &LATENCY_WEIGHTS)];
    let mut at = now + Duration::from_micros(latency);
    match fault {
        Some(kind @ FaultKind::SegmentLoss) => {
            core.fired(kind);
            flight.record(core, "lost");
            return;
        }
        Some(kind @ FaultKind::NetworkDelay) => {
            core.fired(kind);
            at = at + Duration::from_millis(pick("network.delay", &DELAYS_MILLIS));
        }
        Some(kind @ FaultKind::SegmentDuplication) => {
            core.fired(kind);
            let echo = at + Duration::from_micros(pick("network.echo", &ECHOES_MICROS));
            schedule(core, Flight { segment: flight.segment.clone(), ..flight }, echo);
        }
        // It counts when another one has passed it.
        Some(FaultKind::SegmentReordering) => {
            flight.held = true;
            at = at + Duration::from_micros(pick("network.hold", &HOLDS_MICROS));
        }
        _ => {}
    }
    if !flight.held {
        let link = hosts.link(from, to);
        at = at.max(link.last_arrival);
        link.last_arrival = at;
    }
    schedule(core, flight, at);
}

fn schedule(core: &Arc<Core>, flight: Flight, at: Instant) {
    let world = core.clone();
    let arrive = move || {
        let mut hosts = world.network.0.lock();
        let overtaken = hosts.link(flight.from, flight.to).arrive(flight.number);
        if flight.held && overtaken {
            world.fired(FaultKind::SegmentReordering);
        }
        if hosts.is_down(flight.to, world.timeline.now()) {
            flight.record(&world, "nobody is up");
            return;
        }
        flight.record(&world, "arrived");
        hosts.arrive(&world, flight);
    };
    core.timeline.schedule_at(at, Box::new(arrive));
}

impl Link {
    fn next_number(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    fn is_cut(&self, now: Instant) -> bool {
        self.cut_until.is_some_and(|until| until > now)
    }

    /// Whether a segment that was sent later has arrived before this one.
    fn arrive(&mut self, number: u64) -> bool {
        let overtaken = number < self.arrived;
        self.arrived = self.arrived.max(number);
        overtaken
    }
}

impl Flight {
    fn record(&self, core: &Core, fate: &'static str) {
        let Segment { to: end, seq, data, .. } = &self.segment;
        core.record(Event::Segment {
            connection: end.connection,
            from: self.from,
            to: self.to,
            what: self.segment.name(),
            began: self.began,
            seq: *seq,
            len: data.len() as u64,
            fate,
            data: self.segment.data_hash(),
        });
    }
}
