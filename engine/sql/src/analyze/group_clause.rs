//! GROUP BY: plain items, GROUPING SETS, ROLLUP and CUBE, multiplied out into sets.

use helios_types::{PgError, Result, SqlState};

use super::clause::{Rules, raw_place};
use super::context::ExprContext;
use super::{Analyzer, at, error, inner};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{SortClause, TargetEntry};

/// Grouping sets that a query may come to.
const GROUPING_SETS_MAX: usize = 4096;
/// Items that CUBE takes: it makes 2^n sets.
const CUBE_ITEMS_MAX: usize = 12;

/// GROUP BY, analyzed.
#[derive(Default)]
pub(super) struct GroupClause {
    /// What is grouped by.
    pub(super) items: Vec<SortClause>,
    /// Sets of indexes into `items`; empty for a plain GROUP BY.
    pub(super) sets: Vec<Vec<usize>>,
}

impl Analyzer<'_> {
    /// GROUP BY (`transformGroupClause`, `expand_grouping_sets`).
    pub(super) fn group_clause(
        &mut self,
        nodes: &[pb::Node],
        distinct: bool,
        list: &mut Vec<TargetEntry>,
        sort: &[SortClause],
    ) -> Result<GroupClause> {
        let mut clause = GroupClause::default();
        let mut dimensions: Vec<Vec<Vec<usize>>> = Vec::new();
        let mut has_sets = false;
        for node in flatten_rows(nodes)? {
            match node {
                Node::GroupingSet(set) => {
                    has_sets = true;
                    let sets = self.grouping_set(set, list, sort, &mut clause.items)?;
                    dimensions.push(sets);
                }
                item => {
                    let index = self.group_expression(item, list, sort, &mut clause.items, true)?;
                    dimensions.push(vec![vec![index]]);
                }
            }
        }
        if has_sets {
            clause.sets = multiply(dimensions)?;
            if distinct {
                let mut seen: Vec<Vec<usize>> = Vec::new();
                clause.sets.retain(|set| {
                    let mut sorted = set.clone();
                    sorted.sort_unstable();
                    let new = !seen.contains(&sorted);
                    if new {
                        seen.push(sorted);
                    }
                    new
                });
            }
        }
        Ok(clause)
    }

    /// The sets that one GROUPING SETS, ROLLUP, CUBE or `()` stands for.
    fn grouping_set(
        &mut self,
        set: &pb::GroupingSet,
        list: &mut Vec<TargetEntry>,
        sort: &[SortClause],
        items: &mut Vec<SortClause>,
    ) -> Result<Vec<Vec<usize>>> {
        use pb::GroupingSetKind as Kind;
        match set.kind() {
            Kind::GroupingSetEmpty => Ok(vec![Vec::new()]),
            Kind::GroupingSetSets => {
                let mut sets = Vec::new();
                for node in &set.content {
                    match inner(node)? {
                        Node::GroupingSet(nested) => {
                            sets.extend(crate::parse::on_grown_stack(|| self.grouping_set(nested, list, sort, items))?);
                        }
                        _ => sets.push(self.grouping_members(std::slice::from_ref(node), list, sort, items)?),
                    }
                }
                Ok(sets)
            }
            Kind::GroupingSetRollup => {
                let parts = self.grouping_parts(set, list, sort, items)?;
                Ok((0..=parts.len()).rev().map(|length| union(&parts[..length])).collect())
            }
            Kind::GroupingSetCube => {
                let parts = self.grouping_parts(set, list, sort, items)?;
                if parts.len() > CUBE_ITEMS_MAX {
                    let message = format!("CUBE is limited to {CUBE_ITEMS_MAX} elements");
                    return Err(error(SqlState::TOO_MANY_COLUMNS, message).at(at(set.location)));
                }
                let chosen = |mask: usize| {
                    let picked: Vec<Vec<usize>> =
                        (0..parts.len()).filter(|bit| mask & (1 << bit) != 0).map(|bit| parts[bit].clone()).collect();
                    union(&picked)
                };
                Ok((0..1usize << parts.len()).rev().map(chosen).collect())
            }
            Kind::GroupingSetSimple | Kind::Undefined => Err(PgError::internal("a grouping set of no kind")),
        }
    }

    /// The elements of ROLLUP or CUBE, each one column or several in parentheses.
    fn grouping_parts(
        &mut self,
        set: &pb::GroupingSet,
        list: &mut Vec<TargetEntry>,
        sort: &[SortClause],
        items: &mut Vec<SortClause>,
    ) -> Result<Vec<Vec<usize>>> {
        let parts = set.content.iter();
        parts.map(|node| self.grouping_members(std::slice::from_ref(node), list, sort, items)).collect()
    }

    fn grouping_members(
        &mut self,
        nodes: &[pb::Node],
        list: &mut Vec<TargetEntry>,
        sort: &[SortClause],
        items: &mut Vec<SortClause>,
    ) -> Result<Vec<usize>> {
        let mut members = Vec::new();
        for node in flatten_rows(nodes)? {
            let member = self.group_expression(node, list, sort, items, false)?;
            if !members.contains(&member) {
                members.push(member);
            }
        }
        Ok(members)
    }

    /// One expression (`transformGroupClauseExpr`): its index in `items`.
    fn group_expression(
        &mut self,
        node: &Node,
        list: &mut Vec<TargetEntry>,
        sort: &[SortClause],
        items: &mut Vec<SortClause>,
        top_level: bool,
    ) -> Result<usize> {
        let target = self.find_target(node, list, ExprContext::GroupBy, Rules::Sql92)?;
        if let Some(found) = items.iter().position(|item| item.target == target) {
            return Ok(found);
        }
        let ordered = sort.iter().find(|item| item.target == target);
        let item = match ordered {
            Some(ordered) => {
                let mut item = *ordered;
                if !top_level {
                    item.order.nulls_first = false;
                }
                item
            }
            None => self.group_item(list, target, raw_place(node))?,
        };
        items.push(item);
        Ok(items.len() - 1)
    }
}

/// The items, with those of rows written as plain parentheses in place of the row.
fn flatten_rows(nodes: &[pb::Node]) -> Result<Vec<&Node>> {
    let mut flat = Vec::with_capacity(nodes.len());
    for node in nodes {
        match inner(node)? {
            Node::RowExpr(row) if row.row_format() == pb::CoercionForm::CoerceImplicitCast => {
                flat.extend(crate::parse::on_grown_stack(|| flatten_rows(&row.args))?);
            }
            other => flat.push(other),
        }
    }
    Ok(flat)
}

fn union(parts: &[Vec<usize>]) -> Vec<usize> {
    let mut members = Vec::new();
    for &member in parts.iter().flatten() {
        if !members.contains(&member) {
            members.push(member);
        }
    }
    members
}

/// The cross product of the items' sets.
fn multiply(dimensions: Vec<Vec<Vec<usize>>>) -> Result<Vec<Vec<usize>>> {
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for dimension in dimensions {
        if sets.len().saturating_mul(dimension.len()) > GROUPING_SETS_MAX {
            let message = format!("too many grouping sets present (maximum {GROUPING_SETS_MAX})");
            return Err(error(SqlState::STATEMENT_TOO_COMPLEX, message));
        }
        sets =
            sets.iter().flat_map(|set| dimension.iter().map(move |more| union(&[set.clone(), more.clone()]))).collect();
    }
    Ok(sets)
}
