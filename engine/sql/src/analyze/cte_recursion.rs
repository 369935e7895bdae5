//! WITH RECURSIVE before analysis: which queries refer to which, in what order they can be analyzed, and whether a query
//! that refers to itself does so in a place where that has a meaning.

use helios_types::{PgError, Result, SqlState};

use super::clause::raw_place;
use super::raw_walk::{raw_children, select_clauses, with_of};
use super::{at, error, inner};
use crate::parse::on_grown_stack;
use crate::parse::protobuf::{self as pb, node::Node};

/// The queries of a WITH RECURSIVE in the order in which they are analyzed.
pub(super) struct Plan {
    /// Indexes into the clause's list.
    pub(super) order: Vec<usize>,
    /// Whether the query refers to itself.
    pub(super) recursive: Vec<bool>,
}

/// Orders the queries of a WITH RECURSIVE and checks those that are recursive.
pub(super) fn plan_recursion(ctes: &[&pb::CommonTableExpr]) -> Result<Plan> {
    let names: Vec<&str> = ctes.iter().map(|cte| cte.ctename.as_str()).collect();
    let mut recursive = vec![false; ctes.len()];
    let mut depends_on: Vec<Vec<usize>> = Vec::with_capacity(ctes.len());
    for (index, cte) in ctes.iter().enumerate() {
        let mut references = References { names: &names, hidden: Vec::new(), found: Vec::new() };
        references.query(query_of(cte)?)?;
        recursive[index] = references.found.contains(&index);
        references.found.retain(|found| *found != index);
        depends_on.push(references.found);
    }
    let order = topological_order(ctes, &depends_on)?;
    for (cte, _) in ctes.iter().zip(&recursive).filter(|(_, recursive)| **recursive) {
        check_well_formed(cte)?;
    }
    Ok(Plan { order, recursive })
}

fn query_of(cte: &pb::CommonTableExpr) -> Result<&Node> {
    inner(cte.ctequery.as_deref().ok_or_else(|| PgError::internal("a WITH query without a query"))?)
}

fn topological_order(ctes: &[&pb::CommonTableExpr], depends_on: &[Vec<usize>]) -> Result<Vec<usize>> {
    let mut order = Vec::with_capacity(ctes.len());
    while order.len() < ctes.len() {
        let ready = (0..ctes.len())
            .find(|index| !order.contains(index) && depends_on[*index].iter().all(|needed| order.contains(needed)));
        match ready {
            Some(index) => order.push(index),
            None => {
                let first = (0..ctes.len()).find(|index| !order.contains(index)).unwrap_or(0);
                let message = "mutual recursion between WITH items is not implemented";
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(ctes[first].location)));
            }
        }
    }
    Ok(order)
}

/// Finds which WITH queries a query refers to.
struct References<'r> {
    names: &'r [&'r str],
    /// Names that inner WITH clauses give another meaning.
    hidden: Vec<&'r str>,
    found: Vec<usize>,
}

impl<'r> References<'r> {
    fn query(&mut self, node: &'r Node) -> Result<()> {
        on_grown_stack(|| {
            let outer = self.hidden.len();
            if let Some(with) = with_of(node) {
                self.with(with)?;
            }
            match node {
                Node::SelectStmt(select) => self.select(select)?,
                _ => self.below(node)?,
            }
            self.hidden.truncate(outer);
            Ok(())
        })
    }

    /// The queries of an inner WITH; its names stay hidden afterwards.
    fn with(&mut self, with: &'r pb::WithClause) -> Result<()> {
        let ctes = inner_ctes(with)?;
        if with.recursive {
            self.hidden.extend(ctes.iter().map(|cte| cte.ctename.as_str()));
        }
        for cte in ctes {
            self.query(query_of(cte)?)?;
            if !with.recursive {
                self.hidden.push(&cte.ctename);
            }
        }
        Ok(())
    }

    fn select(&mut self, select: &'r pb::SelectStmt) -> Result<()> {
        for side in [&select.larg, &select.rarg].into_iter().flatten() {
            on_grown_stack(|| {
                let outer = self.hidden.len();
                if let Some(with) = &side.with_clause {
                    self.with(with)?;
                }
                self.select(side)?;
                self.hidden.truncate(outer);
                Ok::<(), PgError>(())
            })?;
        }
        let mut outcome = Ok(());
        select_clauses(select, &mut |node| {
            if outcome.is_ok() {
                outcome = self.node(node);
            }
        });
        outcome
    }

    fn below(&mut self, node: &'r Node) -> Result<()> {
        let mut outcome = Ok(());
        raw_children(node, &mut |child| {
            if outcome.is_ok() {
                outcome = self.node(child);
            }
        });
        outcome
    }

    fn node(&mut self, node: &'r Node) -> Result<()> {
        on_grown_stack(|| match node {
            Node::RangeVar(range_var) => {
                if range_var.schemaname.is_empty()
                    && !self.hidden.contains(&range_var.relname.as_str())
                    && let Some(index) = self.names.iter().position(|name| *name == range_var.relname)
                    && !self.found.contains(&index)
                {
                    self.found.push(index);
                }
                Ok(())
            }
            Node::SelectStmt(_) | Node::InsertStmt(_) | Node::UpdateStmt(_) | Node::DeleteStmt(_) => self.query(node),
            _ => self.below(node),
        })
    }
}

fn inner_ctes(with: &pb::WithClause) -> Result<Vec<&pb::CommonTableExpr>> {
    let one = |node| match inner(node)? {
        Node::CommonTableExpr(cte) => Ok(cte.as_ref()),
        _ => Err(PgError::internal("WITH without queries")),
    };
    with.ctes.iter().map(one).collect()
}

/// Where a self-reference would stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Fine,
    NonRecursiveTerm,
    SubLink,
    OuterJoin,
    Intersect,
    Except,
}

/// Whether a recursive query has the one form that can be run (`checkWellFormedRecursion`).
fn check_well_formed(cte: &pb::CommonTableExpr) -> Result<()> {
    let name = &cte.ctename;
    let refuse = |message: String| Err(error(SqlState::INVALID_RECURSION, message).at(at(cte.location)));
    let Node::SelectStmt(select) = query_of(cte)? else {
        return refuse(format!("recursive query \"{name}\" must not contain data-modifying statements"));
    };
    let (Some(left), Some(right), pb::SetOperation::SetopUnion) = (&select.larg, &select.rarg, select.op()) else {
        return refuse(format!(
            "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
        ));
    };
    let mut check = Check { name, hidden: Vec::new(), references: 0, place: Place::SubLink };
    if let Some(with) = &select.with_clause {
        check.with(with)?;
        check.hidden.clear();
    }
    let not_implemented = |what: &str, node: Option<&pb::Node>| {
        let place = node.and_then(|node| node.node.as_ref()).and_then(|node| match node {
            Node::SortBy(sort) => raw_place(sort.node.as_deref()?.node.as_ref()?),
            other => raw_place(other),
        });
        let message = format!("{what} in a recursive query is not implemented");
        Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(place))
    };
    if let Some(sort) = select.sort_clause.first() {
        return not_implemented("ORDER BY", Some(sort));
    }
    if let Some(offset) = select.limit_offset.as_deref() {
        return not_implemented("OFFSET", Some(offset));
    }
    if let Some(limit) = select.limit_count.as_deref() {
        return not_implemented("LIMIT", Some(limit));
    }
    if !select.locking_clause.is_empty() {
        return not_implemented("FOR UPDATE/SHARE", None);
    }
    check.place = Place::NonRecursiveTerm;
    check.references = 0;
    check.query_of_select(left)?;
    check.place = Place::Fine;
    check.query_of_select(right)?;
    if check.references != 1 {
        return Err(PgError::internal("missing recursive reference"));
    }
    Ok(())
}

struct Check<'r> {
    name: &'r str,
    hidden: Vec<&'r str>,
    references: usize,
    place: Place,
}

impl<'r> Check<'r> {
    fn in_place(&mut self, place: Place, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let saved = std::mem::replace(&mut self.place, place);
        let outcome = work(self);
        self.place = saved;
        outcome
    }

    fn with(&mut self, with: &'r pb::WithClause) -> Result<()> {
        let ctes = inner_ctes(with)?;
        if with.recursive {
            self.hidden.extend(ctes.iter().map(|cte| cte.ctename.as_str()));
        }
        for cte in ctes {
            self.node(query_of(cte)?)?;
            if !with.recursive {
                self.hidden.push(&cte.ctename);
            }
        }
        Ok(())
    }

    fn query_of_select(&mut self, select: &'r pb::SelectStmt) -> Result<()> {
        on_grown_stack(|| {
            let outer = self.hidden.len();
            if let Some(with) = &select.with_clause {
                self.with(with)?;
            }
            self.select(select)?;
            self.hidden.truncate(outer);
            Ok(())
        })
    }

    /// `checkWellFormedSelectStmt`.
    fn select(&mut self, select: &'r pb::SelectStmt) -> Result<()> {
        if let (Some(left), Some(right)) = (&select.larg, &select.rarg) {
            let fine = self.place == Place::Fine;
            let (left_place, right_place) = match select.op() {
                pb::SetOperation::SetopIntersect if fine && select.all => (Place::Intersect, Place::Intersect),
                pb::SetOperation::SetopExcept if fine && select.all => (Place::Except, Place::Except),
                pb::SetOperation::SetopExcept if fine => (Place::Fine, Place::Except),
                _ => (self.place, self.place),
            };
            self.in_place(left_place, |check| check.query_of_select(left))?;
            self.in_place(right_place, |check| check.query_of_select(right))?;
        }
        let mut outcome = Ok(());
        select_clauses(select, &mut |node| {
            if outcome.is_ok() {
                outcome = self.node(node);
            }
        });
        outcome
    }

    fn below(&mut self, node: &'r Node) -> Result<()> {
        let mut outcome = Ok(());
        raw_children(node, &mut |child| {
            if outcome.is_ok() {
                outcome = self.node(child);
            }
        });
        outcome
    }

    fn side(&mut self, node: &'r Option<Box<pb::Node>>, outer: bool) -> Result<()> {
        let place = if outer && self.place == Place::Fine { Place::OuterJoin } else { self.place };
        match node.as_deref().and_then(|node| node.node.as_ref()) {
            Some(node) => self.in_place(place, |check| check.node(node)),
            None => Ok(()),
        }
    }

    fn node(&mut self, node: &'r Node) -> Result<()> {
        on_grown_stack(|| match node {
            Node::RangeVar(range_var) => self.reference(range_var),
            Node::SelectStmt(select) => self.query_of_select(select),
            Node::JoinExpr(join) => {
                use pb::JoinType::{JoinFull, JoinLeft, JoinRight};
                let kind = join.jointype();
                self.side(&join.larg, matches!(kind, JoinRight | JoinFull))?;
                self.side(&join.rarg, matches!(kind, JoinLeft | JoinFull))?;
                self.side(&join.quals, false)
            }
            Node::SubLink(link) => {
                if let Some(subselect) = link.subselect.as_deref().and_then(|node| node.node.as_ref()) {
                    self.in_place(Place::SubLink, |check| check.node(subselect))?;
                }
                self.side(&link.testexpr, false)
            }
            _ => self.below(node),
        })
    }

    fn reference(&mut self, range_var: &'r pb::RangeVar) -> Result<()> {
        if !range_var.schemaname.is_empty()
            || range_var.relname != self.name
            || self.hidden.contains(&range_var.relname.as_str())
        {
            return Ok(());
        }
        let where_it_stands = match self.place {
            Place::Fine => {
                self.references += 1;
                if self.references == 1 {
                    return Ok(());
                }
                "more than once"
            }
            Place::NonRecursiveTerm => "within its non-recursive term",
            Place::SubLink => "within a subquery",
            Place::OuterJoin => "within an outer join",
            Place::Intersect => "within INTERSECT",
            Place::Except => "within EXCEPT",
        };
        let message = format!("recursive reference to query \"{}\" must not appear {where_it_stands}", self.name);
        Err(error(SqlState::INVALID_RECURSION, message).at(at(range_var.location)))
    }
}
