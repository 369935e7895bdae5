//! Walking over raw trees: what WITH RECURSIVE needs to know before anything is analyzed.

use crate::parse::protobuf::{self as pb, node::Node};

/// Calls `visit` with each node directly below this one, as far as queries and expressions have them.
pub(super) fn raw_children<'r>(node: &'r Node, visit: &mut dyn FnMut(&'r Node)) {
    fn list<'r>(nodes: &'r [pb::Node], visit: &mut dyn FnMut(&'r Node)) {
        nodes.iter().filter_map(|node| node.node.as_ref()).for_each(visit);
    }
    fn one<'r>(node: &'r Option<Box<pb::Node>>, visit: &mut dyn FnMut(&'r Node)) {
        node.as_deref().and_then(|node| node.node.as_ref()).into_iter().for_each(visit);
    }
    match node {
        Node::SelectStmt(_) => {}
        Node::InsertStmt(n) => {
            one(&n.select_stmt, visit);
            if let Some(conflict) = &n.on_conflict_clause {
                list(&conflict.target_list, visit);
                one(&conflict.where_clause, visit);
            }
            if let Some(returning) = &n.returning_clause {
                list(&returning.exprs, visit);
            }
        }
        Node::UpdateStmt(n) => {
            list(&n.target_list, visit);
            list(&n.from_clause, visit);
            one(&n.where_clause, visit);
            if let Some(returning) = &n.returning_clause {
                list(&returning.exprs, visit);
            }
        }
        Node::DeleteStmt(n) => {
            list(&n.using_clause, visit);
            one(&n.where_clause, visit);
            if let Some(returning) = &n.returning_clause {
                list(&returning.exprs, visit);
            }
        }
        Node::List(n) => list(&n.items, visit),
        Node::ResTarget(n) => {
            list(&n.indirection, visit);
            one(&n.val, visit);
        }
        Node::MultiAssignRef(n) => one(&n.source, visit),
        Node::SortBy(n) => one(&n.node, visit),
        Node::WindowDef(n) => window(n, visit),
        Node::RangeSubselect(n) => one(&n.subquery, visit),
        Node::RangeFunction(n) => list(&n.functions, visit),
        Node::RangeTableSample(n) => {
            one(&n.relation, visit);
            list(&n.args, visit);
            one(&n.repeatable, visit);
        }
        Node::AExpr(n) => {
            one(&n.lexpr, visit);
            one(&n.rexpr, visit);
        }
        Node::BoolExpr(n) => list(&n.args, visit),
        Node::FuncCall(n) => {
            list(&n.args, visit);
            list(&n.agg_order, visit);
            one(&n.agg_filter, visit);
            if let Some(over) = n.over.as_deref() {
                window(over, visit);
            }
        }
        Node::NamedArgExpr(n) => one(&n.arg, visit),
        Node::AIndices(n) => {
            one(&n.lidx, visit);
            one(&n.uidx, visit);
        }
        Node::AIndirection(n) => {
            one(&n.arg, visit);
            list(&n.indirection, visit);
        }
        Node::AArrayExpr(n) => list(&n.elements, visit),
        Node::TypeCast(n) => one(&n.arg, visit),
        Node::CollateClause(n) => one(&n.arg, visit),
        Node::CaseExpr(n) => {
            one(&n.arg, visit);
            list(&n.args, visit);
            one(&n.defresult, visit);
        }
        Node::CaseWhen(n) => {
            one(&n.expr, visit);
            one(&n.result, visit);
        }
        Node::RowExpr(n) => list(&n.args, visit),
        Node::CoalesceExpr(n) => list(&n.args, visit),
        Node::MinMaxExpr(n) => list(&n.args, visit),
        Node::NullTest(n) => one(&n.arg, visit),
        Node::BooleanTest(n) => one(&n.arg, visit),
        Node::GroupingFunc(n) => list(&n.args, visit),
        Node::GroupingSet(n) => list(&n.content, visit),
        Node::JoinExpr(n) => {
            one(&n.larg, visit);
            one(&n.rarg, visit);
            one(&n.quals, visit);
        }
        Node::SubLink(n) => {
            one(&n.testexpr, visit);
            one(&n.subselect, visit);
        }
        _ => {}
    }

    fn window<'r>(n: &'r pb::WindowDef, visit: &mut dyn FnMut(&'r Node)) {
        list(&n.partition_clause, visit);
        list(&n.order_clause, visit);
        one(&n.start_offset, visit);
        one(&n.end_offset, visit);
    }
}

/// Calls `visit` with each node directly below a SELECT, its WITH and the sides of its set operation left out.
pub(super) fn select_clauses<'r>(select: &'r pb::SelectStmt, visit: &mut dyn FnMut(&'r Node)) {
    let lists = [
        &select.distinct_clause,
        &select.target_list,
        &select.from_clause,
        &select.group_clause,
        &select.window_clause,
        &select.values_lists,
        &select.sort_clause,
    ];
    for node in lists.into_iter().flatten().filter_map(|node| node.node.as_ref()) {
        visit(node);
    }
    let single = [&select.where_clause, &select.having_clause, &select.limit_offset, &select.limit_count];
    for node in single.into_iter().filter_map(|node| node.as_deref()?.node.as_ref()) {
        visit(node);
    }
}

/// The WITH of a statement.
pub(super) fn with_of(node: &Node) -> Option<&pb::WithClause> {
    match node {
        Node::SelectStmt(n) => n.with_clause.as_ref(),
        Node::InsertStmt(n) => n.with_clause.as_ref(),
        Node::UpdateStmt(n) => n.with_clause.as_ref(),
        Node::DeleteStmt(n) => n.with_clause.as_ref(),
        _ => None,
    }
}
