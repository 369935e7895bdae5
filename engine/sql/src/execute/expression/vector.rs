//! All rows of a batch at once, by columns.
//!
//! PostgreSQL evaluates row by row and stops where AND, OR, CASE and COALESCE need no more; an expression behind them
//! may then not even be *defined* (a division by zero). So a node that is needed for some rows only is evaluated
//!
//! * over all rows, when nothing in it can fail;
//! * over all rows with a *skip* bitmap that functions obey, when most rows need it;
//! * over a compacted copy of its inputs, when few do.
//!
//! What stands at a skipped row of a result is unspecified.

use std::cell::RefCell;
use std::sync::Arc;

use helios_types::{Bitmap, Column, ColumnBuilder, ColumnData, Datum, PgError, Physical, Result};
use smallvec::SmallVec;

use super::EvalContext;
use super::operation::Operation;
use super::program::{Apply, Node};
use super::row::{self, RowInput};
use crate::execute::batch::ColumnRef;
use crate::parse::on_grown_stack;

/// Below one row in this many, inputs are compacted.
const COMPACT_FRACTION: usize = 4;

/// The rows that a node is evaluated over.
pub(crate) struct Frame<'a> {
    source: Source<'a>,
    rows: usize,
    skip: Option<Bitmap>,
    /// Values bound by enclosing CASEs, by depth.
    cases: Vec<ColumnRef>,
}

enum Source<'a> {
    Batch(&'a [ColumnRef]),
    /// Some rows of another frame, gathered when they are asked for.
    Compacted {
        outer: &'a Frame<'a>,
        rows: &'a [u32],
        gathered: RefCell<SmallVec<[(usize, ColumnRef); 4]>>,
    },
    /// Other skipped rows over the same inputs.
    Same(&'a Frame<'a>),
}

/// A value for some of a frame's rows.
enum Piece {
    /// One value a row of the frame.
    Full(ColumnRef),
    /// One value a row that it was evaluated for, in order.
    Compact(ColumnRef),
}

impl<'a> Frame<'a> {
    /// All rows of a batch, but those to skip.
    pub(crate) fn new(columns: &'a [ColumnRef], rows: usize, skip: Option<Bitmap>) -> Frame<'a> {
        Frame { source: Source::Batch(columns), rows, skip, cases: Vec::new() }
    }

    fn input(&self, index: usize) -> ColumnRef {
        match &self.source {
            Source::Batch(columns) => columns[index].clone(),
            Source::Same(outer) => outer.input(index),
            Source::Compacted { outer, rows, gathered } => {
                if let Some((_, column)) = gathered.borrow().iter().find(|(at, _)| *at == index) {
                    return column.clone();
                }
                let column = Arc::new(outer.input(index).gather(rows));
                gathered.borrow_mut().push((index, column.clone()));
                column
            }
        }
    }

    fn skipped(&self, row: usize) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip.get(row))
    }

    fn all_rows(&self) -> Vec<u32> {
        (0..self.rows as u32).filter(|row| !self.skipped(*row as usize)).collect()
    }

    fn skipping(&'a self, skip: Option<Bitmap>) -> Frame<'a> {
        Frame { source: Source::Same(self), rows: self.rows, skip, cases: self.cases.clone() }
    }

    fn compacted(&'a self, rows: &'a [u32]) -> Frame<'a> {
        Frame {
            source: Source::Compacted { outer: self, rows, gathered: RefCell::default() },
            rows: rows.len(),
            skip: None,
            cases: self.cases.iter().map(|case| Arc::new(case.gather(rows))).collect(),
        }
    }
}

/// Evaluates a node that never waits. It may be thousands of levels deep.
pub(crate) fn eval(node: &Node, frame: &Frame<'_>, env: &EvalContext<'_>) -> Result<ColumnRef> {
    if node.is_leaf() { eval_here(node, frame, env) } else { on_grown_stack(|| eval_here(node, frame, env)) }
}

fn eval_here(node: &Node, frame: &Frame<'_>, env: &EvalContext<'_>) -> Result<ColumnRef> {
    let constant = |value: &Datum| Arc::new(Column::constant(node.oid(), value, frame.rows));
    match node {
        Node::Input(index, _) => Ok(frame.input(*index)),
        Node::Const(value, _) => Ok(constant(value)),
        Node::Param(index, _) => Ok(constant(&env.param(*index)?)),
        Node::ExecParam(index, _) => Ok(constant(&env.exec_params[*index])),
        Node::Hoisted(index, _) => Ok(constant(&env.hoisted_value(*index)?)),
        Node::CaseTest(depth, _) => Ok(frame.cases[*depth].clone()),
        Node::And(args) => connective(args, false, frame, env),
        Node::Or(args) => connective(args, true, frame, env),
        Node::Case { test, whens, default, .. } => match test {
            None => case(node, whens, default, frame, env),
            Some((test, depth)) => {
                let mut inner = frame.skipping(frame.skip.clone());
                inner.cases.truncate(*depth);
                inner.cases.push(eval(test, frame, env)?);
                case(node, whens, default, &inner, env)
            }
        },
        Node::Coalesce(args, _) => coalesce(node, args, frame, env),
        Node::Apply(apply) => eval_apply(apply, frame, env),
        Node::HashedAny { index, left } => {
            let left = eval_all(left, frame, env)?;
            Ok(Arc::new(env.hoisted_set(*index)?.contains_rows(&left, frame.rows)))
        }
        Node::ArrayCoerce { .. } => by_rows(node, frame, env),
        Node::Suspend(_) => Err(PgError::internal("an expression that may wait was evaluated without waiting")),
    }
}

fn eval_all(nodes: &[Node], frame: &Frame<'_>, env: &EvalContext<'_>) -> Result<SmallVec<[ColumnRef; 4]>> {
    nodes.iter().map(|node| eval(node, frame, env)).collect()
}

/// The row walker, for every row: what has no form over columns.
fn by_rows(node: &Node, frame: &Frame<'_>, env: &EvalContext<'_>) -> Result<ColumnRef> {
    let mut inputs: SmallVec<[(usize, ColumnRef); 4]> = SmallVec::new();
    let mut width = 0;
    each_input(node, &mut |index| {
        if !inputs.iter().any(|(at, _)| *at == index) {
            inputs.push((index, frame.input(index)));
            width = width.max(index + 1);
        }
    });
    let mut values = vec![Datum::Null; width];
    let mut builder = ColumnBuilder::new(node.oid(), frame.rows);
    for row in 0..frame.rows {
        if frame.skipped(row) {
            builder.push_null();
            continue;
        }
        for (index, column) in &inputs {
            values[*index] = column.get(row);
        }
        let mut cases = frame.cases.iter().map(|case| case.get(row)).collect();
        builder.push(&row::eval(node, RowInput::Values(&values), &mut cases, env)?);
    }
    Ok(Arc::new(builder.finish()))
}

fn each_input(node: &Node, visit: &mut dyn FnMut(usize)) {
    if let Node::Input(index, _) = node {
        visit(*index);
    }
    node.each_child(&mut |child| each_input(child, visit));
}

fn eval_apply(apply: &Apply, frame: &Frame<'_>, env: &EvalContext<'_>) -> Result<ColumnRef> {
    let skip = frame.skip.as_ref();
    match &apply.operation {
        Operation::Call(call) => {
            let args = eval_all(&apply.args, frame, env)?;
            return Ok(Arc::new(call.columns(&args, frame.rows, skip, env)?));
        }
        Operation::Not => {
            let arg = eval(&apply.args[0], frame, env)?;
            if let ColumnData::Bool(values) = &arg.data {
                let data = ColumnData::Bool(values.iter().map(|value| !value).collect());
                return Ok(Arc::new(Column { data, nulls: arg.nulls.clone() }));
            }
        }
        Operation::NullTest { negated, row: false } => {
            let arg = eval(&apply.args[0], frame, env)?;
            let values = match &arg.nulls {
                None => vec![*negated; frame.rows],
                Some(nulls) => (0..frame.rows).map(|row| nulls.get(row) != *negated).collect(),
            };
            return Ok(Arc::new(Column { data: ColumnData::Bool(values), nulls: None }));
        }
        Operation::Relabel(physical) => {
            let arg = eval(&apply.args[0], frame, env)?;
            let data = match (&arg.data, physical) {
                (ColumnData::I32(values), Physical::U32) => {
                    Some(ColumnData::U32(values.iter().map(|value| value.cast_unsigned()).collect()))
                }
                (ColumnData::U32(values), Physical::I32) => {
                    Some(ColumnData::I32(values.iter().map(|value| value.cast_signed()).collect()))
                }
                (data, physical) if data.physical() == *physical => return Ok(arg),
                _ => None,
            };
            if let Some(data) = data {
                return Ok(Arc::new(Column { data, nulls: arg.nulls.clone() }));
            }
        }
        Operation::ScalarArray { compare, any } => {
            if let Some(column) = scalar_array(compare, *any, apply, frame, env)? {
                return Ok(column);
            }
        }
        _ => {}
    }
    let args = eval_all(&apply.args, frame, env)?;
    let mut builder = ColumnBuilder::new(apply.oid, frame.rows);
    let mut values = vec![Datum::Null; args.len()];
    for row in 0..frame.rows {
        if frame.skipped(row) {
            builder.push_null();
            continue;
        }
        values.iter_mut().zip(&args).for_each(|(value, column)| *value = column.get(row));
        builder.push(&apply.operation.apply(&values, env)?);
    }
    Ok(Arc::new(builder.finish()))
}

/// `x op ANY (array)` where the array is the same for all rows and short: one comparison of columns per element.
fn scalar_array(
    compare: &super::call::Call,
    any: bool,
    apply: &Apply,
    frame: &Frame<'_>,
    env: &EvalContext<'_>,
) -> Result<Option<ColumnRef>> {
    const ELEMENTS_MAX: usize = 16;
    let array = match &apply.args[1] {
        Node::Const(value, _) => value.clone(),
        Node::Param(index, _) => env.param(*index)?,
        _ => return Ok(None),
    };
    let Datum::Array(array) = array else { return Ok(None) };
    let kernel = matches!(compare.implementation, crate::functions::Implementation::Kernel(..));
    if !kernel || !compare.infallible || array.elements.is_empty() || array.elements.len() > ELEMENTS_MAX {
        return Ok(None);
    }
    let scalar = eval(&apply.args[0], frame, env)?;
    let mut merged = Connective::new(frame.rows, any);
    for element in &array.elements {
        let element = Arc::new(Column::constant(compare.arg_types[1], element, frame.rows));
        merged.add_full(&compare.columns(&[scalar.clone(), element], frame.rows, frame.skip.as_ref(), env)?)?;
    }
    Ok(Some(merged.finish()))
}

/// The running value of AND or OR: undecided rows are not (AND) or (OR) so far.
struct Connective {
    /// The value that decides: true for OR, false for AND.
    deciding: bool,
    decided: Vec<bool>,
    unknown: Option<Bitmap>,
}

impl Connective {
    fn new(rows: usize, deciding: bool) -> Connective {
        Connective { deciding, decided: vec![false; rows], unknown: None }
    }

    fn add_full(&mut self, column: &Column) -> Result<()> {
        let ColumnData::Bool(values) = &column.data else { return Err(not_boolean()) };
        match &column.nulls {
            None => {
                for (decided, value) in self.decided.iter_mut().zip(values) {
                    *decided |= *value == self.deciding;
                }
            }
            Some(nulls) => {
                for (row, (decided, value)) in self.decided.iter_mut().zip(values).enumerate() {
                    *decided |= *value == self.deciding && !nulls.get(row);
                }
                match &mut self.unknown {
                    Some(unknown) => unknown.union(nulls),
                    None => self.unknown = Some(nulls.clone()),
                }
            }
        }
        Ok(())
    }

    fn add_compact(&mut self, rows: &[u32], column: &Column) -> Result<()> {
        let ColumnData::Bool(values) = &column.data else { return Err(not_boolean()) };
        for (index, row) in rows.iter().enumerate() {
            let row = *row as usize;
            if column.is_null(index) {
                let rows = self.decided.len();
                self.unknown.get_or_insert_with(|| Bitmap::new(rows, false)).set(row, true);
            } else if values[index] == self.deciding {
                self.decided[row] = true;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> ColumnRef {
        let nulls = self.unknown.take().map(|mut unknown| {
            for (row, decided) in self.decided.iter().enumerate() {
                if *decided {
                    unknown.set(row, false);
                }
            }
            unknown
        });
        let nulls = nulls.filter(|nulls| nulls.count_ones() > 0);
        if !self.deciding {
            self.decided.iter_mut().for_each(|decided| *decided = !*decided);
        }
        Arc::new(Column { data: ColumnData::Bool(self.decided), nulls })
    }
}

fn not_boolean() -> PgError {
    PgError::internal("a condition is not boolean")
}

fn connective(args: &[Node], deciding: bool, frame: &Frame<'_>, env: &EvalContext<'_>) -> Result<ColumnRef> {
    let mut merged = Connective::new(frame.rows, deciding);
    for (index, arg) in args.iter().enumerate() {
        if index == 0 || arg.infallible() {
            merged.add_full(&*eval(arg, frame, env)?)?;
            continue;
        }
        let rows: Vec<u32> = (0..frame.rows as u32)
            .filter(|row| !merged.decided[*row as usize] && !frame.skipped(*row as usize))
            .collect();
        if rows.is_empty() {
            break;
        }
        match eval_for(arg, frame, &rows, env)? {
            Piece::Full(column) if rows.len() == frame.rows => merged.add_full(&column)?,
            Piece::Full(column) => merged.add_compact(&rows, &column.gather(&rows))?,
            Piece::Compact(column) => merged.add_compact(&rows, &column)?,
        }
    }
    Ok(merged.finish())
}

/// Evaluates a node for some rows of a frame.
fn eval_for(node: &Node, frame: &Frame<'_>, rows: &[u32], env: &EvalContext<'_>) -> Result<Piece> {
    let cheap = matches!(node, Node::Input(..) | Node::Const(..) | Node::CaseTest(..));
    if rows.len() == frame.rows || cheap {
        return Ok(Piece::Full(eval(node, frame, env)?));
    }
    if rows.len() * COMPACT_FRACTION >= frame.rows {
        let mut skip = Bitmap::new(frame.rows, true);
        rows.iter().for_each(|row| skip.set(*row as usize, false));
        return Ok(Piece::Full(eval(node, &frame.skipping(Some(skip)), env)?));
    }
    Ok(Piece::Compact(eval(node, &frame.compacted(rows), env)?))
}

/// The rows of a result, as they are found in pieces.
struct Assembly {
    pieces: Vec<ColumnRef>,
    /// Per row, which piece and where in it; `u32::MAX` for none (NULL, or skipped).
    places: Vec<(u32, u32)>,
}

impl Assembly {
    fn new(rows: usize) -> Assembly {
        Assembly { pieces: Vec::new(), places: vec![(u32::MAX, 0); rows] }
    }

    fn add(&mut self, rows: &[u32], piece: Piece) {
        let index = self.pieces.len() as u32;
        match piece {
            Piece::Full(column) => {
                rows.iter().for_each(|row| self.places[*row as usize] = (index, *row));
                self.pieces.push(column);
            }
            Piece::Compact(column) => {
                rows.iter().enumerate().for_each(|(at, row)| self.places[*row as usize] = (index, at as u32));
                self.pieces.push(column);
            }
        }
    }

    fn finish(self, oid: helios_types::Oid) -> ColumnRef {
        if let [piece] = &self.pieces[..]
            && self.places.iter().enumerate().all(|(row, place)| *place == (0, row as u32))
        {
            return piece.clone();
        }
        let mut builder = ColumnBuilder::new(oid, self.places.len());
        for (piece, at) in &self.places {
            match self.pieces.get(*piece as usize) {
                Some(piece) => builder.push_row(piece, *at as usize),
                None => builder.push_null(),
            }
        }
        Arc::new(builder.finish())
    }
}

fn case(
    node: &Node,
    whens: &[(Node, Node)],
    default: &Node,
    frame: &Frame<'_>,
    env: &EvalContext<'_>,
) -> Result<ColumnRef> {
    let mut undecided = frame.all_rows();
    let mut assembly = Assembly::new(frame.rows);
    for (when, then) in whens {
        if undecided.is_empty() {
            break;
        }
        let piece = eval_for(when, frame, &undecided, env)?;
        let (mut chosen, mut rest) = (Vec::new(), Vec::with_capacity(undecided.len()));
        for (index, row) in undecided.iter().enumerate() {
            let holds = match &piece {
                Piece::Full(column) => is_true(column, *row as usize),
                Piece::Compact(column) => is_true(column, index),
            };
            if holds { chosen.push(*row) } else { rest.push(*row) }
        }
        if !chosen.is_empty() {
            assembly.add(&chosen, eval_for(then, frame, &chosen, env)?);
        }
        undecided = rest;
    }
    if !undecided.is_empty() {
        assembly.add(&undecided, eval_for(default, frame, &undecided, env)?);
    }
    Ok(assembly.finish(node.oid()))
}

fn coalesce(node: &Node, args: &[Node], frame: &Frame<'_>, env: &EvalContext<'_>) -> Result<ColumnRef> {
    let mut undecided = frame.all_rows();
    let mut assembly = Assembly::new(frame.rows);
    for arg in args {
        if undecided.is_empty() {
            break;
        }
        let piece = eval_for(arg, frame, &undecided, env)?;
        let mut rest = Vec::new();
        // A NULL row keeps its place in this piece unless a later one has a value.
        for (index, row) in undecided.iter().enumerate() {
            let null = match &piece {
                Piece::Full(column) => column.is_null(*row as usize),
                Piece::Compact(column) => column.is_null(index),
            };
            if null {
                rest.push(*row);
            }
        }
        assembly.add(&undecided, piece);
        undecided = rest;
    }
    Ok(assembly.finish(node.oid()))
}

/// Whether a boolean column is true (not false, not NULL) in a row.
#[inline]
pub(crate) fn is_true(column: &Column, row: usize) -> bool {
    matches!(&column.data, ColumnData::Bool(values) if values[row]) && !column.is_null(row)
}

/// Which of some rows are true in a boolean column.
pub(crate) fn true_rows(column: &Column, rows: &[u32]) -> Vec<u32> {
    let ColumnData::Bool(values) = &column.data else { return Vec::new() };
    match &column.nulls {
        None => rows.iter().copied().filter(|row| values[*row as usize]).collect(),
        Some(nulls) => rows.iter().copied().filter(|row| values[*row as usize] && !nulls.get(*row as usize)).collect(),
    }
}

/// A bit per row of a boolean column that is true.
pub(crate) fn true_bits(column: &Column) -> Bitmap {
    let mut bits = Bitmap::new(column.len(), false);
    (0..column.len()).filter(|row| is_true(column, *row)).for_each(|row| bits.set(row, true));
    bits
}
