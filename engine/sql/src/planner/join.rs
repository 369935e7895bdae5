//! Joining units: in which order, and how each two.
//!
//! Up to [`EXHAUSTIVE_UNITS_MAX`] units the best order is found by dynamic programming over sets of units (Selinger et
//! al., 1979; bushy trees included); beyond, the cheapest next join is taken each time. A pair is joined by hash where
//! an equality allows it, by looking the inner row up in an index, or by nested loops over a materialised inner side.

use std::rc::Rc;
use std::sync::Arc;

use helios_env::hash::{HashMap, HashSet};
use helios_types::{PgError, Result};

use super::Planner;
use super::cost::{CPU_OPERATOR, CPU_TUPLE, EQUAL, is_volatile, selectivity};
use super::from::{Rels, Tree, rels_of, vars_of};
use super::node::{position, scalars};
use crate::expr::{Expr, ExprKind, Var};
use crate::plan::catalog::is_plain_equality;
use crate::plan::{Cost, HashJoin, NestLoop, NodeKind, PlanNode};
use crate::query::JoinKind;

const EXHAUSTIVE_UNITS_MAX: usize = 8;

/// Something that is planned by itself and joined with others.
pub(super) enum Unit {
    /// An entry of the range table, with the conditions on it alone.
    Rel { rte: usize, conditions: Vec<Expr> },
    /// A LEFT or FULL join, with the conditions above it.
    Outer { kind: JoinKind, left: Box<Unit>, right: Box<Unit>, on: Vec<Expr>, filter: Vec<Expr> },
    /// Units joined by nothing but conditions, then semi and anti joins.
    List { units: Vec<Unit>, conditions: Vec<Expr>, sides: Vec<JoinSide> },
}

/// The inner side of a semi or anti join.
pub(super) struct JoinSide {
    pub(super) kind: JoinKind,
    pub(super) unit: Unit,
    pub(super) conditions: Vec<Expr>,
}

impl Unit {
    pub(super) fn rels(&self, into: &mut Rels) {
        match self {
            Unit::Rel { rte, .. } => {
                into.insert(*rte);
            }
            Unit::Outer { left, right, .. } => {
                left.rels(into);
                right.rels(into);
            }
            Unit::List { units, .. } => units.iter().for_each(|unit| unit.rels(into)),
        }
    }
}

/// A way to join a set of units.
struct Path {
    mask: u64,
    rows: f64,
    cost: f64,
    step: Step,
}

enum Step {
    Leaf(usize),
    Join { outer: Rc<Path>, inner: Rc<Path>, method: Method },
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Hash,
    Loop,
    Index,
}

/// The units of a list while their order is looked for.
struct Search {
    nodes: Vec<Arc<PlanNode>>,
    /// Units whose columns a unit reads as parameters.
    requires: Vec<u64>,
    conditions: Vec<(Expr, u64)>,
    /// For a plain table: cost and rows of a look-up by the conditions with these other units.
    lookups: HashMap<(usize, u64), Option<(f64, f64)>>,
}

impl Planner<'_> {
    /// A unit of a tree, with conditions that are on it alone.
    pub(super) fn unit(&mut self, tree: Tree, conditions: Vec<Expr>) -> Result<Unit> {
        let (kind, left, right, on) = match tree {
            Tree::Rel(rte) => return Ok(Unit::Rel { rte, conditions }),
            Tree::Join { kind: JoinKind::Right, left, right, on } => (JoinKind::Left, right, left, on),
            Tree::Join { kind, left, right, on } => (kind, left, right, on),
        };
        let (mut left_rels, mut right_rels) = (Rels::default(), Rels::default());
        left.rels(&mut left_rels);
        right.rels(&mut right_rels);
        let within = |condition: &Expr, rels: &Rels| {
            let read = rels_of(condition);
            !read.is_empty() && read.is_subset(rels)
        };
        let left_only = |condition: &Expr| kind == JoinKind::Left && within(condition, &left_rels);
        let right_only = |condition: &Expr| kind == JoinKind::Left && within(condition, &right_rels);
        let (to_left, filter) = conditions.into_iter().partition(left_only);
        let (to_right, on) = on.into_iter().partition(right_only);
        let left = Box::new(self.inner_list(vec![*left], to_left, Vec::new())?);
        let right = Box::new(self.inner_list(vec![*right], to_right, Vec::new())?);
        Ok(Unit::Outer { kind, left, right, on, filter })
    }

    /// Plans a unit. `needed`: columns that are read above.
    pub(super) fn plan_unit(&mut self, unit: Unit, needed: &HashSet<Var>) -> Result<Arc<PlanNode>> {
        match unit {
            Unit::Rel { rte, conditions } => self.scan(rte, conditions, needed),
            Unit::Outer { kind, left, right, on, filter } => {
                let mut below = needed.clone();
                on.iter().chain(&filter).for_each(|condition| vars_of(condition, &mut below));
                let right = self.plan_unit(*right, &below)?;
                self.add_param_columns(&right, &mut below);
                let left = self.plan_unit(*left, &below)?;
                let mut above = needed.clone();
                filter.iter().for_each(|condition| vars_of(condition, &mut above));
                let joined = self.join_nodes(kind, left, right, &on, Some(&above))?;
                self.filter(joined, &filter)
            }
            Unit::List { units, conditions, sides } => self.plan_list(units, conditions, sides, needed),
        }
    }

    /// The outer columns that a node reads as parameters.
    pub(super) fn add_param_columns(&self, node: &PlanNode, into: &mut HashSet<Var>) {
        for param in node.depends.iter() {
            if let Some(Expr { kind: ExprKind::Var(var), .. }) = self.outer_column(param) {
                into.insert(var);
            }
        }
    }

    fn plan_list(
        &mut self,
        units: Vec<Unit>,
        conditions: Vec<Expr>,
        sides: Vec<JoinSide>,
        needed: &HashSet<Var>,
    ) -> Result<Arc<PlanNode>> {
        let mut below = needed.clone();
        conditions.iter().for_each(|condition| vars_of(condition, &mut below));
        sides.iter().flat_map(|side| &side.conditions).for_each(|condition| vars_of(condition, &mut below));
        let mut planned_sides = Vec::new();
        for side in sides {
            let node = self.plan_unit(side.unit, &below)?;
            self.add_param_columns(&node, &mut below);
            planned_sides.push((side.kind, node, side.conditions));
        }
        let mut node = if units.is_empty() {
            self.node(NodeKind::Result, Vec::new(), Cost { total: CPU_TUPLE, rows: 1.0, ..Cost::default() })
        } else {
            let search = self.search(units, &conditions, &mut below)?;
            let mut after_joins = needed.clone();
            for (_, inner, conditions) in &planned_sides {
                conditions.iter().for_each(|condition| vars_of(condition, &mut after_joins));
                self.add_param_columns(inner, &mut after_joins);
            }
            self.order(search, &after_joins)?
        };
        let constant: Vec<Expr> = conditions.into_iter().filter(|condition| rels_of(condition).is_empty()).collect();
        node = self.filter(node, &constant)?;
        for (kind, inner, conditions) in planned_sides {
            node = self.join_nodes(kind, node, inner, &conditions, None)?;
        }
        Ok(node)
    }

    fn search(&mut self, units: Vec<Unit>, conditions: &[Expr], below: &mut HashSet<Var>) -> Result<Search> {
        if units.len() > 64 {
            return Err(PgError::unsupported("a join of more than 64 relations"));
        }
        let rels: Vec<Rels> = units
            .iter()
            .map(|unit| {
                let mut rels = Rels::default();
                unit.rels(&mut rels);
                rels
            })
            .collect();
        let mask_of = |read: &Rels| {
            rels.iter()
                .enumerate()
                .filter(|(_, unit)| !unit.is_disjoint(read))
                .fold(0u64, |mask, (at, _)| mask | 1 << at)
        };
        let conditions: Vec<(Expr, u64)> = conditions
            .iter()
            .map(|condition| (condition.clone(), mask_of(&rels_of(condition))))
            .filter(|(_, mask)| *mask != 0)
            .collect();
        // Those that read others' columns first: what they read must be there.
        let mut order: Vec<usize> = (0..units.len()).collect();
        order.sort_by_key(|at| !matches!(&units[*at], Unit::Rel { rte, .. } if self.is_lateral(*rte)));
        let mut units: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
        let mut nodes: Vec<Option<Arc<PlanNode>>> = vec![None; units.len()];
        let mut lookup_keys = HashMap::default();
        for at in order {
            let Some(unit) = units[at].take() else { continue };
            if let Unit::Rel { rte, conditions: own } = &unit {
                self.note_lookups(*rte, own, &conditions, at, &mut lookup_keys);
            }
            let node = self.plan_unit(unit, below)?;
            self.add_param_columns(&node, below);
            nodes[at] = Some(node);
        }
        let nodes: Vec<Arc<PlanNode>> = nodes.into_iter().flatten().collect();
        let requires = nodes
            .iter()
            .map(|node| {
                let mut read = HashSet::default();
                self.add_param_columns(node, &mut read);
                mask_of(&read.iter().map(|var| var.rte).collect())
            })
            .collect();
        Ok(Search { nodes, requires, conditions, lookups: lookup_keys })
    }

    /// Notes, for a table, what a look-up costs by its conditions with each set of other units.
    fn note_lookups(
        &mut self,
        rte: usize,
        own: &[Expr],
        conditions: &[(Expr, u64)],
        at: usize,
        into: &mut HashMap<(usize, u64), Option<(f64, f64)>>,
    ) {
        let joining: Vec<&(Expr, u64)> =
            conditions.iter().filter(|(_, mask)| mask >> at & 1 == 1 && mask.count_ones() > 1).collect();
        let mut masks: Vec<u64> = joining.iter().map(|(_, mask)| mask & !(1 << at)).collect();
        // All that one other unit, or all other units together, can give.
        let all = masks.iter().fold(0, |all, mask| all | mask);
        masks.push(all);
        masks.sort_unstable();
        masks.dedup();
        for outer in masks {
            let usable: Vec<Expr> = joining
                .iter()
                .filter(|(_, mask)| mask & !(1 << at) & !outer == 0)
                .map(|(condition, _)| condition.clone())
                .collect();
            into.insert((at, outer), self.lookup_cost(rte, own, &usable));
        }
    }

    fn order(&mut self, search: Search, needed: &HashSet<Var>) -> Result<Arc<PlanNode>> {
        let count = search.nodes.len();
        let leaf = |at: usize| {
            let cost = search.nodes[at].cost;
            Rc::new(Path { mask: 1 << at, rows: cost.rows.max(1.0), cost: cost.total, step: Step::Leaf(at) })
        };
        let best =
            if count <= EXHAUSTIVE_UNITS_MAX { exhaustive(&search, count, leaf) } else { greedy(&search, count, leaf) };
        let best = best.ok_or_else(|| PgError::unsupported("this combination of LATERAL references"))?;
        if best.mask.count_ones() as usize != count {
            return Err(PgError::internal("the join order has lost a relation"));
        }
        self.build(&best, &search, needed)
    }

    fn build(&mut self, path: &Path, search: &Search, needed: &HashSet<Var>) -> Result<Arc<PlanNode>> {
        let (outer, inner, method) = match &path.step {
            Step::Leaf(at) => return Ok(search.nodes[*at].clone()),
            Step::Join { outer, inner, method } => (outer, inner, *method),
        };
        let conditions: Vec<Expr> =
            search.between(outer.mask, inner.mask).map(|(condition, _)| condition.clone()).collect();
        let mut below = needed.clone();
        conditions.iter().for_each(|condition| vars_of(condition, &mut below));
        // What units joined later read of these must survive.
        for (at, node) in search.nodes.iter().enumerate() {
            if outer.mask >> at & 1 == 0 {
                self.add_param_columns(node, &mut below);
            }
        }
        let outer_node = self.build(outer, search, &below)?;
        let mut above = needed.clone();
        for (condition, mask) in &search.conditions {
            if mask & !path.mask != 0 {
                vars_of(condition, &mut above);
            }
        }
        for (at, node) in search.nodes.iter().enumerate() {
            if path.mask >> at & 1 == 0 {
                self.add_param_columns(node, &mut above);
            }
        }
        if method == Method::Index
            && let Step::Leaf(at) = inner.step
        {
            return self.index_loop(outer_node, &search.nodes[at], &conditions, &above);
        }
        let inner_node = self.build(inner, search, &below)?;
        self.join_nodes(JoinKind::Inner, outer_node, inner_node, &conditions, Some(&above))
    }

    /// Joins two nodes by hash if a condition allows it, else by nested loops. `above`: the columns kept; `None` keeps
    /// the outer ones (semi and anti joins).
    pub(super) fn join_nodes(
        &mut self,
        kind: JoinKind,
        outer: Arc<PlanNode>,
        inner: Arc<PlanNode>,
        conditions: &[Expr],
        above: Option<&HashSet<Var>>,
    ) -> Result<Arc<PlanNode>> {
        let both: Vec<Expr> = outer.output.iter().chain(&inner.output).cloned().collect();
        let projection = projection(kind, &outer.output, &inner.output, above);
        let output: Vec<Expr> = projection.iter().map(|at| both[*at].clone()).collect();
        let params = self.handed_in(&outer, &inner)?;
        let keys =
            if params.is_empty() { hash_keys(conditions, &outer.output, &inner.output) } else { HashKeys::default() };
        let rows = join_rows(kind, &outer, &inner, conditions, keys.clauses.len());
        // Without any key that looks at columns, a FULL JOIN compares all rows with all.
        let keyless = kind == JoinKind::Full
            && params.is_empty()
            && conditions.iter().all(|condition| condition.as_const().is_some());
        if keyless || !keys.clauses.is_empty() {
            let cost = Cost {
                startup: inner.cost.total,
                total: outer.cost.total
                    + inner.cost.total
                    + (outer.cost.rows + inner.cost.rows) * CPU_OPERATOR * 2.0
                    + rows * CPU_TUPLE,
                rows,
                width: super::cost::width(&output),
            };
            let join = HashJoin {
                kind,
                outer_keys: scalars(&keys.outer, &outer.output)?,
                inner_keys: scalars(&keys.inner, &inner.output)?,
                residual: scalars(&keys.residual, &both)?,
                clauses: keys.clauses,
                outer,
                inner,
                projection,
            };
            return Ok(self.node(NodeKind::HashJoin(join), output, cost));
        }
        match kind {
            JoinKind::Full => {
                return Err(PgError::new(
                    helios_types::SqlState::FEATURE_NOT_SUPPORTED,
                    "FULL JOIN is only supported with merge-joinable or hash-joinable join conditions",
                ));
            }
            JoinKind::Right => return self.join_nodes(JoinKind::Left, inner, outer, conditions, above),
            _ => {}
        }
        let inner = if params.is_empty() { self.materialize(inner) } else { inner };
        let cost = Cost {
            startup: outer.cost.startup,
            total: outer.cost.total
                + inner.cost.total * if params.is_empty() { 1.0 } else { outer.cost.rows }
                + outer.cost.rows * inner.cost.rows * CPU_OPERATOR,
            rows,
            width: super::cost::width(&output),
        };
        let join = NestLoop { kind, condition: scalars(conditions, &both)?, outer, inner, params, projection };
        Ok(self.node(NodeKind::NestLoop(join), output, cost))
    }

    /// A nested loop whose inner side is looked up by columns of the outer one.
    fn index_loop(
        &mut self,
        outer: Arc<PlanNode>,
        inner: &Arc<PlanNode>,
        conditions: &[Expr],
        above: &HashSet<Var>,
    ) -> Result<Arc<PlanNode>> {
        let Some((inner, rest)) = self.parameterized_scan(inner, conditions)? else {
            return self.join_nodes(JoinKind::Inner, outer, inner.clone(), conditions, Some(above));
        };
        let both: Vec<Expr> = outer.output.iter().chain(&inner.output).cloned().collect();
        let projection = projection(JoinKind::Inner, &outer.output, &inner.output, Some(above));
        let output: Vec<Expr> = projection.iter().map(|at| both[*at].clone()).collect();
        let params = self.handed_in(&outer, &inner)?;
        let cost = Cost {
            startup: outer.cost.startup,
            total: outer.cost.total + outer.cost.rows * inner.cost.total,
            rows: (outer.cost.rows * inner.cost.rows).max(1.0),
            width: super::cost::width(&output),
        };
        let join =
            NestLoop { kind: JoinKind::Inner, condition: scalars(&rest, &both)?, outer, inner, params, projection };
        Ok(self.node(NodeKind::NestLoop(join), output, cost))
    }

    /// The inner side's parameters that the outer side's columns stand for.
    fn handed_in(&self, outer: &PlanNode, inner: &PlanNode) -> Result<Vec<(usize, usize)>> {
        let mut params = Vec::new();
        for param in inner.depends.iter() {
            if let Some(found) = self.outer_column(param)
                && outer.output.contains(&found)
            {
                params.push((param, position(&outer.output, &found)?));
            }
        }
        Ok(params)
    }
}

/// Which columns of the two sides a join keeps.
fn projection(kind: JoinKind, outer: &[Expr], inner: &[Expr], above: Option<&HashSet<Var>>) -> Vec<usize> {
    let keep_inner = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
    let kept = |at: &usize| {
        let column = if *at < outer.len() { &outer[*at] } else { &inner[*at - outer.len()] };
        match (&column.kind, above) {
            (ExprKind::Var(var), Some(above)) => above.contains(var),
            _ => true,
        }
    };
    let count = outer.len() + if keep_inner { inner.len() } else { 0 };
    (0..count).filter(kept).collect()
}

/// Equality conditions between two sides.
#[derive(Default)]
struct HashKeys {
    outer: Vec<Expr>,
    inner: Vec<Expr>,
    clauses: Vec<Expr>,
    residual: Vec<Expr>,
}

fn reads_only(expr: &Expr, columns: &[Expr]) -> bool {
    let mut vars = HashSet::default();
    vars_of(expr, &mut vars);
    !vars.is_empty()
        && vars
            .iter()
            .all(|var| columns.iter().any(|column| matches!(&column.kind, ExprKind::Var(found) if found == var)))
}

fn hash_keys(conditions: &[Expr], outer: &[Expr], inner: &[Expr]) -> HashKeys {
    let mut keys = HashKeys::default();
    for condition in conditions {
        let sides = match &condition.kind {
            ExprKind::Func(call) if is_plain_equality(call) && !is_volatile(condition) => match call.args.as_slice() {
                [left, right] if reads_only(left, outer) && reads_only(right, inner) => Some((left, right)),
                [left, right] if reads_only(right, outer) && reads_only(left, inner) => Some((right, left)),
                _ => None,
            },
            _ => None,
        };
        match sides {
            Some((outer_key, inner_key)) => {
                keys.outer.push(outer_key.clone());
                keys.inner.push(inner_key.clone());
                keys.clauses.push(condition.clone());
            }
            None => keys.residual.push(condition.clone()),
        }
    }
    keys
}

fn join_rows(kind: JoinKind, outer: &PlanNode, inner: &PlanNode, conditions: &[Expr], equalities: usize) -> f64 {
    let (outer_rows, inner_rows) = (outer.cost.rows.max(1.0), inner.cost.rows.max(1.0));
    let mut rows = outer_rows * inner_rows;
    if equalities > 0 {
        rows /= outer_rows.max(inner_rows);
    }
    let others: f64 = conditions.iter().skip(equalities).map(selectivity).product();
    rows = (rows * others).max(1.0);
    match kind {
        JoinKind::Inner => rows,
        JoinKind::Left => rows.max(outer_rows),
        JoinKind::Right => rows.max(inner_rows),
        JoinKind::Full => rows.max(outer_rows).max(inner_rows),
        JoinKind::Semi | JoinKind::Anti => (outer_rows * 0.5).max(1.0),
    }
}

impl Search {
    /// The conditions that can be looked at once these two sets are joined, and not before.
    fn between(&self, left: u64, right: u64) -> impl Iterator<Item = &(Expr, u64)> {
        self.conditions
            .iter()
            .filter(move |(_, mask)| mask & !(left | right) == 0 && mask & !left != 0 && mask & !right != 0)
    }

    fn requires_of(&self, mask: u64) -> u64 {
        let all = self.requires.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
        all.fold(0, |needs, (_, requires)| needs | requires) & !mask
    }

    /// The cheapest way to join two sets, the first as the outer one.
    fn join(&self, outer: &Rc<Path>, inner: &Rc<Path>) -> Option<Path> {
        let lateral = self.requires_of(inner.mask);
        if self.requires_of(outer.mask) & inner.mask != 0 || lateral & !outer.mask != 0 {
            return None;
        }
        let mut rows = outer.rows * inner.rows;
        let mut equalities = 0;
        for (condition, mask) in self.between(outer.mask, inner.mask) {
            let equality = matches!(&condition.kind, ExprKind::Func(call) if is_plain_equality(call))
                && mask.count_ones() == 2
                && !is_volatile(condition);
            if equality {
                rows /= outer.rows.max(inner.rows).min(1.0 / EQUAL).max(if equalities == 0 {
                    outer.rows.max(inner.rows)
                } else {
                    10.0
                });
                equalities += 1;
            } else {
                rows *= selectivity(condition);
            }
        }
        let rows = rows.max(1.0);
        let mask = outer.mask | inner.mask;
        let path = |cost: f64, rows: f64, method| {
            Some(Path { mask, rows, cost, step: Step::Join { outer: outer.clone(), inner: inner.clone(), method } })
        };
        if lateral != 0 {
            return path(outer.cost + outer.rows * inner.cost, rows, Method::Loop);
        }
        let mut best = if equalities > 0 {
            // Building costs more than probing: the smaller side is better inside.
            let cost = outer.cost
                + inner.cost
                + outer.rows * CPU_OPERATOR * 2.0
                + inner.rows * CPU_OPERATOR * 4.0
                + rows * CPU_TUPLE;
            path(cost, rows, Method::Hash)
        } else {
            path(outer.cost + inner.cost + outer.rows * inner.rows * CPU_OPERATOR * 1.5, rows, Method::Loop)
        };
        if let Step::Leaf(at) = inner.step {
            let usable = self.lookups.iter().filter(|((table, needs), _)| *table == at && needs & !outer.mask == 0);
            for (_, lookup) in usable {
                let Some((cost, matched)) = lookup else { continue };
                let total = outer.cost + outer.rows * (cost + matched * CPU_TUPLE);
                if best.as_ref().is_none_or(|best| total < best.cost) {
                    best = path(total, rows, Method::Index);
                }
            }
        }
        best
    }
}

fn better(best: &mut Option<Rc<Path>>, path: Option<Path>) {
    if let Some(path) = path
        && best.as_ref().is_none_or(|best| path.cost < best.cost)
    {
        *best = Some(Rc::new(path));
    }
}

fn exhaustive(search: &Search, count: usize, leaf: impl Fn(usize) -> Rc<Path>) -> Option<Rc<Path>> {
    let full = (1u64 << count) - 1;
    let mut best: Vec<Option<Rc<Path>>> = vec![None; full as usize + 1];
    for at in 0..count {
        best[1 << at] = Some(leaf(at));
    }
    for mask in 1..=full {
        if mask.count_ones() < 2 {
            continue;
        }
        // Products without a condition only where nothing else joins the set.
        for connected in [true, false] {
            let mut found = None;
            let mut outer = (mask - 1) & mask;
            while outer != 0 {
                let inner = mask & !outer;
                let joined = search.between(outer, inner).next().is_some() || search.requires_of(inner) & outer != 0;
                if joined == connected
                    && let (Some(left), Some(right)) = (&best[outer as usize], &best[inner as usize])
                {
                    better(&mut found, search.join(left, right));
                }
                outer = (outer - 1) & mask;
            }
            if found.is_some() {
                best[mask as usize] = found;
                break;
            }
        }
    }
    best[full as usize].clone()
}

fn greedy(search: &Search, count: usize, leaf: impl Fn(usize) -> Rc<Path>) -> Option<Rc<Path>> {
    let mut paths: Vec<Rc<Path>> = (0..count).map(leaf).collect();
    while paths.len() > 1 {
        let mut best: Option<(usize, usize, Path, bool)> = None;
        for i in 0..paths.len() {
            for j in 0..paths.len() {
                if i == j {
                    continue;
                }
                let connected = search.between(paths[i].mask, paths[j].mask).next().is_some()
                    || search.requires_of(paths[j].mask) & paths[i].mask != 0;
                let Some(path) = search.join(&paths[i], &paths[j]) else { continue };
                let wins = best.as_ref().is_none_or(|(_, _, best, best_connected)| {
                    (connected, -path.rows, -path.cost) > (*best_connected, -best.rows, -best.cost)
                });
                if wins {
                    best = Some((i, j, path, connected));
                }
            }
        }
        let (i, j, path, _) = best?;
        let path = Rc::new(path);
        let (first, second) = (i.max(j), i.min(j));
        paths.swap_remove(first);
        paths.swap_remove(second);
        paths.push(path);
    }
    paths.pop()
}
