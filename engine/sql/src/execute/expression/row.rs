//! One row at a time, without waiting: short circuits, constant folding, finding the row that failed.

use helios_types::{Array, Datum, PgError, Result};
use smallvec::SmallVec;
use std::sync::Arc;

use super::EvalContext;
use super::program::Node;
use crate::execute::batch::ColumnRef;
use crate::parse::on_grown_stack;

/// Where a row's values come from.
#[derive(Clone, Copy)]
pub(crate) enum RowInput<'a> {
    /// A row of a batch.
    Batch(&'a [ColumnRef], usize),
    /// Values.
    Values(&'a [Datum]),
}

impl RowInput<'_> {
    pub(crate) fn get(&self, index: usize) -> Datum {
        match self {
            RowInput::Batch(columns, row) => columns[index].get(*row),
            RowInput::Values(values) => values[index].clone(),
        }
    }
}

/// Values bound by enclosing CASEs, by depth.
pub(crate) type CaseValues = SmallVec<[Datum; 2]>;

/// Evaluates a node that never waits. It may be thousands of levels deep.
pub(crate) fn eval(node: &Node, input: RowInput<'_>, cases: &mut CaseValues, env: &EvalContext<'_>) -> Result<Datum> {
    if node.is_leaf() {
        return eval_here(node, input, cases, env);
    }
    on_grown_stack(|| eval_here(node, input, cases, env))
}

fn eval_here(node: &Node, input: RowInput<'_>, cases: &mut CaseValues, env: &EvalContext<'_>) -> Result<Datum> {
    match node {
        Node::Input(index, _) => Ok(input.get(*index)),
        Node::Const(value, _) => Ok(value.clone()),
        Node::Param(index, _) => env.param(*index),
        Node::ExecParam(index, _) => Ok(env.exec_params[*index].clone()),
        Node::CaseTest(depth, _) => Ok(cases[*depth].clone()),
        Node::Hoisted(index, _) => env.hoisted_value(*index),
        Node::HashedAny { index, left } => {
            let left = eval_all(left, input, cases, env)?;
            env.hoisted_set(*index)?.contains(&left)
        }
        Node::And(args) => {
            let mut unknown = false;
            for arg in args {
                match eval(arg, input, cases, env)? {
                    Datum::Bool(false) => return Ok(Datum::Bool(false)),
                    Datum::Null => unknown = true,
                    _ => {}
                }
            }
            Ok(if unknown { Datum::Null } else { Datum::Bool(true) })
        }
        Node::Or(args) => {
            let mut unknown = false;
            for arg in args {
                match eval(arg, input, cases, env)? {
                    Datum::Bool(true) => return Ok(Datum::Bool(true)),
                    Datum::Null => unknown = true,
                    _ => {}
                }
            }
            Ok(if unknown { Datum::Null } else { Datum::Bool(false) })
        }
        Node::Case { test, whens, default, .. } => {
            let outer = match test {
                Some((test, depth)) => {
                    let value = eval(test, input, cases, env)?;
                    Some((*depth, bind(cases, *depth, value)))
                }
                None => None,
            };
            let mut chosen = default.as_ref();
            for (when, then) in whens {
                if eval(when, input, cases, env)? == Datum::Bool(true) {
                    chosen = then;
                    break;
                }
            }
            let value = eval(chosen, input, cases, env);
            if let Some((depth, outer)) = outer {
                cases[depth] = outer;
            }
            value
        }
        Node::Coalesce(args, _) => {
            for arg in args {
                let value = eval(arg, input, cases, env)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Ok(Datum::Null)
        }
        Node::ArrayCoerce { arg, element, depth, element_type, .. } => match eval(arg, input, cases, env)? {
            Datum::Null => Ok(Datum::Null),
            Datum::Array(array) => {
                let mut elements = Vec::with_capacity(array.elements.len());
                for value in &array.elements {
                    bind(cases, *depth, value.clone());
                    elements.push(eval(element, input, cases, env)?);
                }
                let dimensions = array.dimensions.clone();
                Ok(Datum::Array(Arc::new(Array { element_type: *element_type, dimensions, elements })))
            }
            other => Err(PgError::internal(format_args!("array coercion of {other:?}"))),
        },
        Node::Apply(apply) => {
            let args = eval_all(&apply.args, input, cases, env)?;
            apply.operation.apply(&args, env)
        }
        Node::Suspend(_) => Err(PgError::internal("an expression that may wait was evaluated without waiting")),
    }
}

fn eval_all(
    nodes: &[Node],
    input: RowInput<'_>,
    cases: &mut CaseValues,
    env: &EvalContext<'_>,
) -> Result<SmallVec<[Datum; 4]>> {
    nodes.iter().map(|node| eval(node, input, cases, env)).collect()
}

/// Binds a value at a depth and gives back what was bound there.
pub(crate) fn bind(cases: &mut CaseValues, depth: usize, value: Datum) -> Datum {
    if cases.len() <= depth {
        cases.resize(depth + 1, Datum::Null);
    }
    std::mem::replace(&mut cases[depth], value)
}
