//! Cycles, and what they are called.
//!
//! In every strongly connected component the shortest cycle of each class is looked for, plain classes first:
//!
//! | class | cycle |
//! |---|---|
//! | G0 | ww edges only |
//! | G1c | ww and wr edges, at least one wr |
//! | G-single, lost update, statement skew, G-monotonic | exactly one rw edge |
//! | long fork, G-nonadjacent, G2-item | more of them; only where there is none with one |
//!
//! First without edges of order, then with those of sessions, then with those of real time; what is found with fewer is
//! not looked for with more. A cycle through points is one through transactions: edges within a transaction fall away.

use std::collections::BTreeSet;

use crate::components::{components, shortest};
use crate::dependency::{Dependency, Kind, Told};
use crate::history::{History, Isolation, Object, name};
use crate::observation::Lock;
use crate::points::Points;
use crate::verdict::{Anomaly, Finding, Level, Order};

/// Edges from which a shorter cycle is looked for, in one component and for one class, when there is one already.
const STARTS_MAX: usize = 2_000;
/// Transactions that an explanation shows in full.
const SHOWN_MAX: usize = 8;

/// A cycle: dependencies, and the points that they leave and come to.
type Cycle = Vec<(usize, usize, usize)>;

/// Everything that has a name.
pub(crate) struct Search<'a> {
    history: &'a History,
    level: Level,
    points: &'a Points,
    component: Vec<usize>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(history: &'a History, level: Level, points: &'a Points) -> Search<'a> {
        Search { history, level, points, component: components(&points.edges) }
    }

    /// Cycles of all components.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut inside: Vec<(usize, usize, usize, usize)> = Vec::new();
        for (from, edges) in self.points.edges.iter().enumerate() {
            for (to, dependency) in edges {
                if let Some(dependency) = dependency.filter(|_| self.component[*to] == self.component[from]) {
                    inside.push((self.component[from], dependency, from, *to));
                }
            }
        }
        inside.sort_unstable();
        let mut findings = Vec::new();
        for starts in inside.chunk_by(|one, other| one.0 == other.0) {
            let starts: Vec<(usize, usize, usize)> =
                starts.iter().map(|(_, edge, from, to)| (*edge, *from, *to)).collect();
            self.search_component(&starts, &mut findings);
        }
        findings
    }

    fn search_component(&self, starts: &[(usize, usize, usize)], findings: &mut Vec<Finding>) {
        for order in [Order::Dependencies, Order::Sessions, Order::Realtime] {
            if order > self.level.order {
                return;
            }
            let counts = |kind: Kind| kind.order() == Order::Dependencies || kind.order() <= order;
            let without_reads = |kind: Kind| counts(kind) && !matches!(kind, Kind::WriteRead | Kind::ReadWrite);
            let without_missed = |kind: Kind| counts(kind) && kind != Kind::ReadWrite;
            let mut cycles = vec![
                self.shortest(starts, Kind::WriteWrite, &without_reads),
                self.shortest(starts, Kind::WriteRead, &without_missed),
                self.shortest(starts, Kind::ReadWrite, &without_missed),
            ];
            if cycles.iter().all(Option::is_none) {
                cycles.push(self.shortest(starts, Kind::ReadWrite, &counts));
            }
            let before = findings.len();
            findings.extend(cycles.into_iter().flatten().map(|cycle| self.name(&cycle)));
            if findings.len() > before {
                return;
            }
        }
    }

    /// The shortest cycle that begins with an edge of this kind and goes on over those that count.
    fn shortest(&self, starts: &[(usize, usize, usize)], first: Kind, counts: &dyn Fn(Kind) -> bool) -> Option<Cycle> {
        let kind = |edge: usize| self.points.dependencies[edge].kind;
        let mut best: Option<Cycle> = None;
        for (tried, (edge, from, to)) in starts.iter().filter(|(edge, ..)| kind(*edge) == first).enumerate() {
            if best.is_some() && tried >= STARTS_MAX {
                break;
            }
            let component = self.component[*from];
            let allowed = |point: usize, edge: Option<usize>| {
                self.component[point] == component && edge.is_none_or(|edge| counts(kind(edge)))
            };
            let Some(back) = shortest(&self.points.edges, *to, *from, allowed) else { continue };
            let ends = back.iter().skip(1).map(|(point, _)| *point).chain([*from]);
            let steps = back.iter().zip(ends).filter_map(|((from, edge), to)| edge.map(|edge| (edge, *from, to)));
            let cycle: Cycle = std::iter::once((*edge, *from, *to)).chain(steps).collect();
            if best.as_ref().is_none_or(|best| cycle.len() < best.len()) {
                best = Some(cycle);
            }
            if best.as_ref().is_some_and(|best| best.len() == 2) {
                break;
            }
        }
        best
    }

    fn edge(&self, step: &(usize, usize, usize)) -> &'a Dependency {
        &self.points.dependencies[step.0]
    }

    fn name(&self, cycle: &Cycle) -> Finding {
        let edges: Vec<&Dependency> = cycle.iter().map(|step| self.edge(step)).collect();
        let missed: Vec<usize> = (0..edges.len()).filter(|at| edges[*at].kind == Kind::ReadWrite).collect();
        let anomaly = match missed[..] {
            [] if edges.iter().any(|edge| edge.kind == Kind::WriteRead) => Anomaly::G1c,
            [] => Anomaly::G0,
            [at] => self.name_single(cycle, &edges, at),
            _ => name_several(&edges),
        };
        let order = edges.iter().map(|edge| edge.kind.order()).max().unwrap_or(Order::Dependencies);
        let mut transactions: Vec<usize> = Vec::new();
        edges.iter().map(|edge| edge.from).for_each(|it| {
            if !transactions.contains(&it) {
                transactions.push(it);
            }
        });
        let told = |edge: &&Dependency| Told { edge, history: self.history }.to_string();
        let mut explanation: Vec<String> = edges.iter().map(told).collect();
        let shown = transactions.iter().take(SHOWN_MAX);
        explanation.extend(shown.map(|index| format!("{} {}", name(*index), self.history.transactions[*index])));
        Finding { anomaly, order, transactions, explanation }
    }

    /// One anti-dependency, at this place of the cycle.
    fn name_single(&self, cycle: &Cycle, edges: &[&Dependency], at: usize) -> Anomaly {
        let (missed, reader) = (edges[at], edges[at].from);
        let writes = |transaction: usize, object: Option<Object>| {
            edges.iter().any(|edge| edge.kind == Kind::WriteWrite && edge.to == transaction && edge.object == object)
        };
        if writes(reader, missed.object) && edges.iter().all(|edge| edge.object == missed.object) {
            return Anomaly::LostUpdate;
        }
        let isolation = self.history.transactions[reader].isolation.unwrap_or(self.level.isolation);
        let (owner, is_commit) = self.points.owners[cycle[at].1];
        debug_assert_eq!(owner, reader, "an anti-dependency leaves its reader");
        let before = edges[(at + edges.len() - 1) % edges.len()];
        let is_order = edges.iter().any(|edge| edge.object.is_none());
        match isolation {
            Isolation::ReadCommitted if is_commit || is_order => Anomaly::GSingle,
            Isolation::ReadCommitted if before.lock == Lock::None && before.statement == missed.statement => {
                Anomaly::StatementSkew
            }
            Isolation::ReadCommitted => Anomaly::GMonotonic,
            _ => Anomaly::GSingle,
        }
    }
}

fn name_several(edges: &[&Dependency]) -> Anomaly {
    let objects: BTreeSet<Option<Object>> = edges.iter().map(|edge| edge.object).collect();
    let kinds: Vec<Kind> = edges.iter().map(|edge| edge.kind).collect();
    let next = |at: usize| kinds[(at + 1) % kinds.len()];
    let missed = || (0..kinds.len()).filter(|at| kinds[*at] == Kind::ReadWrite);
    if objects.len() == 1 && missed().count() == kinds.len() {
        // Which of them was first nobody knows, and it does not matter.
        return Anomaly::LostUpdate;
    }
    if missed().any(|at| next(at) == Kind::ReadWrite) {
        return Anomaly::G2Item;
    }
    let is_read = |at: usize| next(at) == Kind::WriteRead && next(at + 1) == Kind::ReadWrite;
    if missed().all(is_read) && objects.len() > 1 { Anomaly::LongFork } else { Anomaly::GNonadjacent }
}
