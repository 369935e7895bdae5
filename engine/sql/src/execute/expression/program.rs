//! A compiled expression: a small tree that is evaluated without looking anything up.
//!
//! Three walkers run it. They share [`Operation::apply`](super::operation::Operation::apply), which is what a node that
//! always evaluates all its arguments does to their values:
//!
//! | walker | over | used for |
//! |---|---|---|
//! | [`vector`](super::vector) | all rows of a batch, by columns | everything pure |
//! | [`row`](super::row) | one row, by Datums | short circuits, constant folding, finding the row that failed |
//! | [`suspend`](super::suspend) | one row, and may wait | what calls nextval, pg_sleep, a correlated subquery, ... |

use helios_types::{Datum, Oid};

use super::operation::Operation;
use crate::expr::{ExprType, SubLinkKind};
use crate::functions::Suspending;
use crate::parse::on_grown_stack;

/// A compiled expression.
#[derive(Debug)]
pub struct Program {
    pub(crate) root: Node,
    /// Type of the value.
    pub ty: ExprType,
    /// Whether evaluating it may have to wait.
    pub(crate) suspending: bool,
    /// The subplans that are run once, before the first row: what [`Node::Hoisted`] and [`Node::HashedAny`] refer to.
    pub(crate) hoisted: Vec<Hoisted>,
    /// Number of subplans that are run per row: what [`SuspendKind::SubPlan`] refers to.
    pub(crate) subplans: usize,
}

/// A subplan without outer values in a place where it is certainly needed.
#[derive(Debug)]
pub(crate) struct Hoisted {
    /// Index into the plan's subplans.
    pub(crate) plan: usize,
    /// Scalar, EXISTS, ARRAY; or ANY, which is hashed.
    pub(crate) kind: SubLinkKind,
    /// Type of the value; for ANY, types of the subquery's columns.
    pub(crate) types: Vec<ExprType>,
}

/// A node of a compiled expression.
#[derive(Debug)]
pub(crate) enum Node {
    /// Column of the input.
    Input(usize, Oid),
    /// A literal.
    Const(Datum, Oid),
    /// `$n`.
    Param(usize, Oid),
    /// A value that another part of the plan provides.
    ExecParam(usize, Oid),
    /// The value bound by the enclosing CASE (or array coercion) at this depth.
    CaseTest(usize, Oid),
    /// The value of a hoisted subplan.
    Hoisted(usize, Oid),
    /// `left IN (hoisted subplan)`.
    HashedAny {
        index: usize,
        left: Vec<Node>,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Case {
        /// The tested value and the depth it is bound at.
        test: Option<(Box<Node>, usize)>,
        whens: Vec<(Node, Node)>,
        default: Box<Node>,
        oid: Oid,
    },
    Coalesce(Vec<Node>, Oid),
    /// The element expression is run for every element of the array.
    ArrayCoerce {
        arg: Box<Node>,
        element: Box<Node>,
        depth: usize,
        element_type: Oid,
        oid: Oid,
    },
    /// What needs all its arguments, always.
    Apply(Box<Apply>),
    /// What may wait.
    Suspend(Box<Suspend>),
}

/// A node that needs all its arguments, always.
#[derive(Debug)]
pub(crate) struct Apply {
    pub(crate) operation: Operation,
    pub(crate) args: Vec<Node>,
    pub(crate) oid: Oid,
}

/// A node that may wait.
#[derive(Debug)]
pub(crate) struct Suspend {
    pub(crate) kind: SuspendKind,
    pub(crate) args: Vec<Node>,
    pub(crate) ty: ExprType,
}

/// What is waited for.
#[derive(Debug)]
pub(crate) enum SuspendKind {
    /// A function that is known by name.
    Function { function: Suspending, strict: bool },
    /// The next value of a sequence.
    NextValue(Oid),
    /// A subquery; the arguments of the node are its outer values, then its left-hand sides.
    SubPlan {
        /// Which state of the evaluator is its.
        state: usize,
        /// Index into the plan's subplans.
        plan: usize,
        kind: SubLinkKind,
        /// Executor parameters that the outer values go to.
        params: Vec<usize>,
        /// Executor parameters that the subquery's columns go to while `test` is evaluated.
        columns: Vec<usize>,
        /// The comparison of ANY, ALL and row comparisons.
        test: Option<Box<Node>>,
        /// Types of the subquery's columns when its rows are looked up by hash; the left-hand sides are then the last
        /// arguments.
        hashed: Option<Vec<ExprType>>,
    },
}

impl Node {
    /// The type of the node's value.
    pub(crate) fn oid(&self) -> Oid {
        match self {
            Node::Input(_, oid)
            | Node::Const(_, oid)
            | Node::Param(_, oid)
            | Node::ExecParam(_, oid)
            | Node::CaseTest(_, oid)
            | Node::Hoisted(_, oid)
            | Node::Coalesce(_, oid)
            | Node::Case { oid, .. }
            | Node::ArrayCoerce { oid, .. } => *oid,
            Node::HashedAny { .. } | Node::And(_) | Node::Or(_) => helios_types::oid::BOOL,
            Node::Apply(apply) => apply.oid,
            Node::Suspend(suspend) => suspend.ty.oid,
        }
    }

    /// Whether this node or one below it may wait.
    pub(crate) fn suspends(&self) -> bool {
        match self {
            Node::Suspend(_) => true,
            _ => {
                let mut suspends = false;
                self.each_child(&mut |child| suspends |= child.suspends());
                suspends
            }
        }
    }

    /// Whether there is nothing below.
    pub(crate) fn is_leaf(&self) -> bool {
        matches!(
            self,
            Node::Input(..)
                | Node::Const(..)
                | Node::Param(..)
                | Node::ExecParam(..)
                | Node::CaseTest(..)
                | Node::Hoisted(..)
        )
    }

    /// Calls back for every node directly below. The stack grows as a walk goes down.
    pub(crate) fn each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        if !self.is_leaf() {
            on_grown_stack(|| self.each_child_here(visit));
        }
    }

    fn each_child_here<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        match self {
            Node::Input(..)
            | Node::Const(..)
            | Node::Param(..)
            | Node::ExecParam(..)
            | Node::CaseTest(..)
            | Node::Hoisted(..) => {}
            Node::HashedAny { left: nodes, .. } | Node::And(nodes) | Node::Or(nodes) | Node::Coalesce(nodes, _) => {
                nodes.iter().for_each(visit);
            }
            Node::Case { test, whens, default, .. } => {
                if let Some((test, _)) = test {
                    visit(test);
                }
                for (when, then) in whens {
                    visit(when);
                    visit(then);
                }
                visit(default);
            }
            Node::ArrayCoerce { arg, element, .. } => {
                visit(arg);
                visit(element);
            }
            Node::Apply(apply) => apply.args.iter().for_each(visit),
            Node::Suspend(suspend) => suspend.args.iter().for_each(visit),
        }
    }
}

impl Node {
    /// Whether no input can make it fail, so that it may run over rows that nobody asked for.
    pub(crate) fn infallible(&self) -> bool {
        let mut infallible = match self {
            Node::Apply(apply) => apply.operation.infallible(),
            Node::Suspend(_) | Node::ArrayCoerce { .. } | Node::HashedAny { .. } | Node::Param(..) => false,
            _ => true,
        };
        self.each_child(&mut |child| infallible = infallible && child.infallible());
        infallible
    }
}
