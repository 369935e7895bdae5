//! The physical plan: a tree of nodes, each of which becomes one operator.
//!
//! A node states its output as expressions over the query's range table; an expression of the node above is compiled
//! against them, so whatever a node below has computed is found again by equality. Plans are immutable, shared, and
//! depend on catalog objects only: parameters, snapshots and settings come at execution.

use std::sync::Arc;

use helios_catalog::model::{Index, Table};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result};

use super::ParamSet;
use crate::execute::expression::{Program, compile};
use crate::expr::{Expr, ExprType, FuncExpr, SortOrder};
use crate::query::{Command, JoinKind, SetOp, WindowFrame};

/// A statement, ready to run any number of times.
#[derive(Debug)]
pub struct Plan {
    /// The statement.
    pub root: Arc<PlanNode>,
    /// Subqueries in expressions, by [`crate::expr::SubPlan::index`].
    pub subplans: Vec<Subplan>,
    /// WITH queries that are run once, by [`NodeKind::CteScan`].
    pub ctes: Vec<Cte>,
    /// How many executor parameters there are.
    pub exec_params: usize,
    /// How many tables WITH RECURSIVE works on.
    pub work_tables: usize,
    /// What it does with its rows; a SELECT may still write, in a WITH query.
    pub command: Command,
    /// The result's columns; empty when there is none.
    pub columns: Vec<ResultColumn>,
    /// Tables to lock before the snapshot is taken, each once, in the order of their OIDs.
    pub locks: Vec<(Oid, TableLockMode)>,
    /// Whether rows are written or locked, so that a read-only transaction refuses it.
    pub writes: bool,
    /// Relations, types and functions that the plan depends on.
    pub dependencies: Vec<Oid>,
    /// What EXPLAIN calls the entries of the range table.
    pub relations: Vec<RelationName>,
    /// Why the statement cannot run: a part of it that is constant failed. Its tables are locked before it says so.
    pub failure: Option<PgError>,
}

/// A column of a statement's result.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ExprType,
    /// The table that it plainly comes from.
    pub table: Oid,
    /// Its attnum there.
    pub attnum: i16,
}

/// A subquery in an expression.
#[derive(Debug)]
pub struct Subplan {
    /// Its plan.
    pub root: Arc<PlanNode>,
    /// Types of its columns.
    pub types: Vec<ExprType>,
    /// The executor parameters that its result depends on.
    pub depends: ParamSet,
    /// What EXPLAIN calls it.
    pub name: String,
    /// Whether it is run once only.
    pub init: bool,
}

/// A WITH query that is run once, by whoever reads it first.
#[derive(Debug)]
pub struct Cte {
    /// Its name.
    pub name: String,
    /// Its plan.
    pub root: Arc<PlanNode>,
    /// Whether it writes: then it is run to its end even when nobody reads it.
    pub writes: bool,
}

/// The names of a range table entry.
#[derive(Clone, Debug, Default)]
pub struct RelationName {
    /// Schema, table or function name, as far as it has one.
    pub name: String,
    /// Schema, for VERBOSE.
    pub schema: Oid,
    /// The name it goes by.
    pub alias: String,
    /// Its columns' names.
    pub columns: Vec<String>,
}

/// What a node is expected to cost, in PostgreSQL's units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Before the first row.
    pub startup: f64,
    /// For all rows.
    pub total: f64,
    /// Rows.
    pub rows: f64,
    /// Bytes of a row.
    pub width: i32,
}

/// A node of the plan.
#[derive(Debug)]
pub struct PlanNode {
    /// What it does.
    pub kind: NodeKind,
    /// Its columns.
    pub output: Vec<Expr>,
    /// What it is expected to cost.
    pub cost: Cost,
    /// The executor parameters that its rows depend on and that are set outside of it.
    pub depends: ParamSet,
}

/// An expression with its compiled form.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// As EXPLAIN prints it.
    pub expr: Expr,
    /// As it is run.
    pub program: Arc<Program>,
}

impl Scalar {
    /// Compiles an expression over the columns of a node below.
    pub fn new(expr: Expr, layout: &[Expr]) -> Result<Scalar> {
        let program = compile(&expr, layout)?;
        Ok(Scalar { expr, program })
    }
}

/// A column that rows are sorted by.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// Column of the input.
    pub column: usize,
    /// Its type and the collation to sort by.
    pub ty: ExprType,
    /// Direction.
    pub order: SortOrder,
}

/// What nodes do.
#[derive(Debug)]
pub enum NodeKind {
    /// One row without columns.
    Result,
    /// No rows.
    Empty,
    /// Rows of expressions without columns.
    Values(Vec<Vec<Scalar>>),
    /// All rows of a table.
    SeqScan(TableScan),
    /// Rows of a table by a range of its key or of an index.
    IndexScan(IndexScan),
    /// A computed relation; the columns (attnum - 1) that are wanted.
    SystemScan {
        /// `pg_class.oid`.
        relation: Oid,
        /// Entry of the range table.
        rte: usize,
        /// The wanted columns, attnum - 1.
        columns: Vec<usize>,
    },
    /// Functions in FROM, side by side.
    FunctionScan {
        /// Entry of the range table.
        rte: usize,
        /// The calls.
        functions: Vec<FunctionCall>,
        /// WITH ORDINALITY: a last int8 column.
        ordinality: bool,
    },
    /// The rows of a subquery under other names.
    SubqueryScan {
        /// Entry of the range table.
        rte: usize,
        /// The subquery.
        input: Arc<PlanNode>,
    },
    /// The rows of a WITH query that is run once.
    CteScan {
        /// Entry of the range table.
        rte: usize,
        /// Index into [`Plan::ctes`].
        cte: usize,
    },
    /// The rows that the last round of a recursive query gave.
    WorkTableScan {
        /// Entry of the range table.
        rte: usize,
        /// Which work table.
        table: usize,
    },
    /// WITH RECURSIVE: `base`, then `recursive` over its own last rows until there are none.
    RecursiveUnion {
        /// Which work table.
        table: usize,
        /// An executor parameter that stands for "the work table has changed".
        signal: usize,
        /// The term that is run first.
        base: Arc<PlanNode>,
        /// The term that reads the work table.
        recursive: Arc<PlanNode>,
        /// UNION rather than UNION ALL.
        distinct: bool,
    },
    /// For each outer row, the inner rows that the condition holds for.
    NestLoop(NestLoop),
    /// Rows joined by equal keys.
    HashJoin(HashJoin),
    /// Keeps the rows of its input, to give them again.
    Materialize {
        /// Whose rows.
        input: Arc<PlanNode>,
    },
    /// Sorted rows.
    Sort {
        /// Whose rows.
        input: Arc<PlanNode>,
        /// By what.
        keys: Vec<SortKey>,
    },
    /// Groups and aggregates.
    Aggregate(Aggregation),
    /// Window functions over sorted input.
    Window(Window),
    /// The first of each run of rows that are equal in these columns; the input is sorted by them.
    Unique {
        /// Whose rows.
        input: Arc<PlanNode>,
        /// Columns compared.
        keys: Vec<usize>,
    },
    /// Some of the rows.
    Limit {
        /// Whose rows.
        input: Arc<PlanNode>,
        /// How many; NULL for all.
        limit: Option<Scalar>,
        /// How many to pass over first.
        offset: Option<Scalar>,
        /// WITH TIES: the columns that ties are equal in.
        ties: Option<Vec<usize>>,
    },
    /// INTERSECT and EXCEPT; UNION is Append and Aggregate.
    SetOp {
        /// Left input.
        left: Arc<PlanNode>,
        /// Right input, of the same types.
        right: Arc<PlanNode>,
        /// INTERSECT or EXCEPT.
        op: SetOp,
        /// ALL.
        all: bool,
    },
    /// The rows of one input after the other.
    Append {
        /// Inputs of the same types.
        inputs: Vec<Arc<PlanNode>>,
    },
    /// Computed columns.
    Project {
        /// Over whose rows.
        input: Arc<PlanNode>,
        /// What.
        targets: Vec<Scalar>,
    },
    /// Computed columns, some of which are set-returning: they run in step, shorter ones padded with NULL.
    ProjectSet {
        /// Over whose rows.
        input: Arc<PlanNode>,
        /// What.
        targets: Vec<SetTarget>,
    },
    /// The rows that conditions hold for.
    Filter {
        /// Whose rows.
        input: Arc<PlanNode>,
        /// Conditions, in the order in which they are looked at.
        conditions: Vec<Scalar>,
    },
    /// All rows or none, by conditions that no row changes.
    OneTimeFilter {
        /// Whose rows.
        input: Arc<PlanNode>,
        /// Conditions without columns.
        conditions: Vec<Scalar>,
    },
    /// Locks the rows of its input.
    LockRows(super::modify::LockRows),
    /// INSERT, UPDATE, DELETE.
    ModifyTable(Box<super::modify::ModifyTable>),
}

/// Reading a table.
#[derive(Debug)]
pub struct TableScan {
    /// Entry of the range table.
    pub rte: usize,
    /// The table.
    pub table: Arc<Table>,
    /// The columns to read, by attnum, in the order of the output.
    pub columns: Vec<i16>,
    /// Whether a last column is the row's key (bytea), for whoever locks or changes rows.
    pub row_key: bool,
    /// Conditions over the columns read, in the order in which they are looked at.
    pub filter: Vec<Scalar>,
}

/// Reading a table by a range of its key or of an index.
#[derive(Debug)]
pub struct IndexScan {
    /// What is read.
    pub scan: TableScan,
    /// The index; the primary key's is the table itself.
    pub index: Arc<Index>,
    /// `=` conditions on the first columns, as values without columns of this scan.
    pub equal: Vec<KeyBound>,
    /// The lower bound on the next column; inclusive or not.
    pub lower: Option<(KeyBound, bool)>,
    /// The upper bound on the next column; inclusive or not.
    pub upper: Option<(KeyBound, bool)>,
    /// From the end.
    pub backward: bool,
    /// Whether everything read is in the index entry, so that the table is not looked at.
    pub index_only: bool,
    /// The conditions as they were written, for EXPLAIN.
    pub conditions: Vec<Expr>,
}

/// A value that an index column is compared with.
#[derive(Clone, Debug)]
pub struct KeyBound {
    /// The value; NULL finds nothing.
    pub value: Scalar,
    /// `column = ANY (array)`: each of its elements.
    pub any: bool,
}

/// A function in FROM or in a target list.
#[derive(Clone, Debug)]
pub struct FunctionCall {
    /// As EXPLAIN prints it.
    pub call: FuncExpr,
    /// The arguments.
    pub args: Vec<Scalar>,
    /// Whether it returns a set.
    pub returns_set: bool,
    /// Type of a row.
    pub ty: ExprType,
    /// Types of its columns.
    pub columns: Vec<ExprType>,
}

/// An output of [`NodeKind::ProjectSet`].
#[derive(Debug)]
pub enum SetTarget {
    /// One value for all rows that come of an input row.
    Scalar(Scalar),
    /// A row each.
    Set(FunctionCall),
}

/// For each outer row, the inner rows that the condition holds for.
#[derive(Debug)]
pub struct NestLoop {
    /// Which rows survive; Right and Full are not done this way.
    pub kind: JoinKind,
    /// The side that is read once.
    pub outer: Arc<PlanNode>,
    /// The side that is read per outer row.
    pub inner: Arc<PlanNode>,
    /// Executor parameters that columns of the outer row are handed to the inner side in.
    pub params: Vec<(usize, usize)>,
    /// Conditions over outer columns, then inner ones.
    pub condition: Vec<Scalar>,
    /// Which of the outer columns, then inner ones, are the output.
    pub projection: Vec<usize>,
}

/// Rows joined by equal keys.
#[derive(Debug)]
pub struct HashJoin {
    /// Which rows survive.
    pub kind: JoinKind,
    /// The side that probes.
    pub outer: Arc<PlanNode>,
    /// The side that is hashed.
    pub inner: Arc<PlanNode>,
    /// Keys of the outer side.
    pub outer_keys: Vec<Scalar>,
    /// Keys of the inner side, of the same types.
    pub inner_keys: Vec<Scalar>,
    /// The conditions that the keys stand for, for EXPLAIN.
    pub clauses: Vec<Expr>,
    /// Further conditions over outer columns, then inner ones.
    pub residual: Vec<Scalar>,
    /// Which of the outer columns, then inner ones, are the output.
    pub projection: Vec<usize>,
}

/// How rows are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateStrategy {
    /// All rows are one group.
    Plain,
    /// The input is sorted by the keys.
    Sorted,
    /// By hash.
    Hashed,
}

/// Groups and aggregates. The output is the keys (NULL where a grouping set leaves one out), then the aggregates, then
/// the grouping values.
#[derive(Debug)]
pub struct Aggregation {
    /// Whose rows.
    pub input: Arc<PlanNode>,
    /// How.
    pub strategy: AggregateStrategy,
    /// Columns that are grouped by.
    pub keys: Vec<usize>,
    /// Grouping sets as indexes into `keys`; empty for the one set of all keys.
    pub sets: Vec<Vec<usize>>,
    /// The calls.
    pub calls: Vec<AggregateCall>,
    /// GROUPING(...) calls, as indexes into `keys`.
    pub groupings: Vec<Vec<usize>>,
}

/// An aggregate call over columns of the input.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    /// As EXPLAIN prints it.
    pub expr: Expr,
    /// What makes its states.
    pub factory: crate::functions::Aggregate,
    /// Arguments.
    pub args: Vec<usize>,
    /// Types of the arguments.
    pub arg_types: Vec<Oid>,
    /// Direct arguments of ordered-set aggregates.
    pub direct: Vec<Scalar>,
    /// FILTER, a boolean column.
    pub filter: Option<usize>,
    /// DISTINCT.
    pub distinct: bool,
    /// ORDER BY inside the call.
    pub order: Vec<SortKey>,
    /// Type of the result.
    pub ty: ExprType,
    /// The collation it must use.
    pub collation: Oid,
    /// Whether its transition function is strict, so that rows with NULL arguments do not count for DISTINCT.
    pub name: &'static str,
}

/// Window functions that share a window. The output is the input's columns, then the calls.
#[derive(Debug)]
pub struct Window {
    /// Whose rows, sorted by `partition`, then `order`.
    pub input: Arc<PlanNode>,
    /// PARTITION BY.
    pub partition: Vec<usize>,
    /// ORDER BY.
    pub order: Vec<SortKey>,
    /// The frame.
    pub frame: WindowFrame,
    /// Offsets of the frame's bounds, without columns.
    pub start_offset: Option<Scalar>,
    /// See `start_offset`.
    pub end_offset: Option<Scalar>,
    /// The calls.
    pub calls: Vec<WindowFunction>,
}

/// A window function call over columns of the input.
#[derive(Debug)]
pub struct WindowFunction {
    /// As EXPLAIN prints it.
    pub expr: Expr,
    /// What runs.
    pub kind: WindowKind,
    /// Arguments.
    pub args: Vec<usize>,
    /// Types of the arguments.
    pub arg_types: Vec<Oid>,
    /// FILTER, a boolean column.
    pub filter: Option<usize>,
    /// Type of the result.
    pub ty: ExprType,
    /// The collation it must use.
    pub collation: Oid,
}

/// What runs for a window function call.
#[derive(Clone, Copy, Debug)]
pub enum WindowKind {
    /// An aggregate over the frame.
    Aggregate(crate::functions::Aggregate),
    /// `row_number`, `rank`, ... by `prosrc`.
    Builtin(&'static str),
}

impl NodeKind {
    /// The nodes directly below.
    pub fn children(&self) -> Vec<&Arc<PlanNode>> {
        match self {
            NodeKind::Result
            | NodeKind::Empty
            | NodeKind::Values(_)
            | NodeKind::SeqScan(_)
            | NodeKind::IndexScan(_)
            | NodeKind::SystemScan { .. }
            | NodeKind::FunctionScan { .. }
            | NodeKind::CteScan { .. }
            | NodeKind::WorkTableScan { .. } => Vec::new(),
            NodeKind::SubqueryScan { input, .. }
            | NodeKind::Materialize { input }
            | NodeKind::Sort { input, .. }
            | NodeKind::Unique { input, .. }
            | NodeKind::Limit { input, .. }
            | NodeKind::Project { input, .. }
            | NodeKind::ProjectSet { input, .. }
            | NodeKind::Filter { input, .. }
            | NodeKind::OneTimeFilter { input, .. } => vec![input],
            NodeKind::Aggregate(aggregation) => vec![&aggregation.input],
            NodeKind::Window(window) => vec![&window.input],
            NodeKind::LockRows(lock) => vec![&lock.input],
            NodeKind::ModifyTable(modify) => modify.input.iter().collect(),
            NodeKind::RecursiveUnion { base, recursive, .. } => vec![base, recursive],
            NodeKind::NestLoop(join) => vec![&join.outer, &join.inner],
            NodeKind::HashJoin(join) => vec![&join.outer, &join.inner],
            NodeKind::SetOp { left, right, .. } => vec![left, right],
            NodeKind::Append { inputs } => inputs.iter().collect(),
        }
    }
}

impl PlanNode {
    /// The nodes directly below.
    pub fn children(&self) -> Vec<&Arc<PlanNode>> {
        self.kind.children()
    }

    /// Types of the columns.
    pub fn types(&self) -> Vec<Oid> {
        self.output.iter().map(|column| column.ty.oid).collect()
    }
}
