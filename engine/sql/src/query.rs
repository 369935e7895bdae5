//! The analyzed statement: PostgreSQL's `Query` (`parsenodes.h`), with its names.
//!
//! Everything is resolved: columns are [`crate::expr::Var`]s into the range table, functions are OIDs, coercions are
//! explicit nodes, `*` is expanded, defaults are filled in. A plan made from it depends only on what
//! [`Query::dependencies`] lists.

use std::sync::Arc;

use helios_catalog::model::Table;
use helios_types::Oid;

use crate::expr::{Expr, ExprType, FuncExpr, SortOrder};

/// What the statement does with its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command {
    Select,
    Insert,
    Update,
    Delete,
}

/// A SELECT, INSERT, UPDATE or DELETE, or a subquery of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What it does.
    pub command: Command,
    /// WITH queries, in order; those above in `levels_up`.
    pub ctes: Vec<CommonTableExpr>,
    /// WITH RECURSIVE was written.
    pub recursive: bool,
    /// Everything that columns can come from.
    pub range_table: Vec<RangeTblEntry>,
    /// FROM: the cross product of these; with the joins inside. The target of UPDATE and DELETE is the first item.
    pub from: Vec<FromItem>,
    /// WHERE.
    pub qual: Option<Expr>,
    /// Output columns; for INSERT and UPDATE, the values of the result relation's columns.
    pub target_list: Vec<TargetEntry>,
    /// INSERT, UPDATE, DELETE: index of the target table in the range table.
    pub result_relation: Option<usize>,
    /// INSERT ... ON CONFLICT.
    pub on_conflict: Option<OnConflict>,
    /// RETURNING; empty when absent.
    pub returning: Vec<TargetEntry>,
    /// The entries that stand for the rows before and after in RETURNING.
    pub returning_rows: ReturningRows,
    /// GROUP BY, by target entry.
    pub group_by: Vec<SortClause>,
    /// GROUPING SETS, ROLLUP, CUBE expanded: sets of indexes into `group_by`; empty for a plain GROUP BY.
    pub grouping_sets: Vec<Vec<usize>>,
    /// HAVING.
    pub having: Option<Expr>,
    /// Whether there are aggregates (of this level) or HAVING, so that grouping happens even without GROUP BY.
    pub has_aggregates: bool,
    /// Whether the target list calls set-returning functions.
    pub has_target_srfs: bool,
    /// WINDOW definitions used.
    pub windows: Vec<WindowClause>,
    /// DISTINCT or DISTINCT ON.
    pub distinct: Option<Distinct>,
    /// ORDER BY, by target entry.
    pub order_by: Vec<SortClause>,
    /// LIMIT: int8, NULL means all.
    pub limit: Option<Expr>,
    /// OFFSET: int8.
    pub offset: Option<Expr>,
    /// FETCH FIRST ... WITH TIES.
    pub with_ties: bool,
    /// FOR UPDATE and its kin.
    pub row_marks: Vec<RowMark>,
    /// UNION, INTERSECT, EXCEPT: the tree; its leaves are subquery entries of the range table.
    pub set_operation: Option<SetOperation>,
    /// Relations, types and functions that the analysis looked at.
    pub dependencies: Vec<Oid>,
}

/// RETURNING's `old` and `new`: entries of the range table, which nothing else refers to. `None` when something else goes
/// by the name, or there is no RETURNING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReturningRows {
    /// The row before; NULLs for INSERT.
    pub old: Option<usize>,
    /// The row after; NULLs for DELETE.
    pub new: Option<usize>,
}

/// One source of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTblEntry {
    /// What it is.
    pub kind: RteKind,
    /// The name it goes by: alias, or the relation's own.
    pub alias: String,
    /// Names and types of its columns, after alias column lists.
    pub columns: Vec<RteColumn>,
    /// LATERAL was written (or implied, for functions).
    pub lateral: bool,
    /// The view that a subquery expands (`pg_class.oid`), else `Oid::NONE`: a view's text names it, not its contents.
    pub view: Oid,
}

/// A column of a range table entry.
#[derive(Clone, Debug, PartialEq)]
pub struct RteColumn {
    /// Its name here.
    pub name: String,
    /// Its type.
    pub ty: ExprType,
    /// For relations: the column's attnum, from 1; else 0.
    pub attnum: i16,
}

/// The kinds of range table entry.
#[derive(Clone, Debug, PartialEq)]
pub enum RteKind {
    /// A table.
    Relation {
        /// The table as it was when the statement was analyzed.
        table: Arc<Table>,
        /// Columns that the statement needs are those referenced by Vars; system relations are computed.
        inherited: bool,
    },
    /// A relation of pg_catalog or information_schema, computed when it is read.
    System {
        /// `pg_class.oid`.
        oid: Oid,
    },
    /// A subquery in FROM, or an expanded view.
    Subquery(Arc<Query>),
    /// A join; its columns are [`RangeTblEntry::columns`], each of which is one of `join_columns`. A Var of it stands
    /// for that expression; only merged columns that are no plain column of a side are referred to in this way.
    Join {
        /// Per output column, the expression over the two sides: a Var, or COALESCE of two for FULL JOIN USING.
        join_columns: Vec<Expr>,
    },
    /// Functions in FROM; several with ROWS FROM.
    Functions {
        /// The calls.
        functions: Vec<RangeFunction>,
        /// WITH ORDINALITY adds a last int8 column.
        ordinality: bool,
    },
    /// VALUES lists.
    Values(Vec<Vec<Expr>>),
    /// A reference to a WITH query.
    Cte {
        /// Its name.
        name: String,
        /// How many query levels up its WITH is.
        levels_up: u32,
        /// Index into that query's `ctes`.
        index: usize,
        /// Whether the reference is from inside the query itself (WITH RECURSIVE).
        self_reference: bool,
    },
    /// The proposed row of ON CONFLICT DO UPDATE (`excluded`), or RETURNING's `old` or `new`; its columns are the target
    /// table's.
    Excluded,
    /// The result of nothing: a single row without columns.
    Result,
}

/// A function in FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeFunction {
    /// The call; a plain function yields one row.
    pub call: FuncExpr,
    /// Whether it returns a set.
    pub returns_set: bool,
    /// Type of its result (record for several columns).
    pub ty: ExprType,
    /// How many columns it contributes.
    pub columns: usize,
}

/// An item of FROM.
#[derive(Clone, Debug, PartialEq)]
pub enum FromItem {
    /// A range table entry.
    Rte(usize),
    /// A join of two items.
    Join(Box<JoinExpr>),
}

/// JOIN.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinExpr {
    /// Which rows survive.
    pub kind: JoinKind,
    /// Left side.
    pub left: FromItem,
    /// Right side.
    pub right: FromItem,
    /// ON, or what USING and NATURAL stand for.
    pub on: Option<Expr>,
    /// The join's own entry in the range table.
    pub rte: usize,
    /// The columns that USING or NATURAL joined by, for the text of views; `on` says what they mean.
    pub using: Vec<String>,
}

/// Kinds of join; the planner adds Semi and Anti.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}

/// An output column.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetEntry {
    /// The value.
    pub expr: Expr,
    /// The column's name.
    pub name: String,
    /// Present only for ORDER BY, GROUP BY or DISTINCT; not part of the result.
    pub junk: bool,
    /// For INSERT and UPDATE: attnum of the assigned column, from 1. In a SELECT's list, the attnum of the column that
    /// the entry plainly is, 0 otherwise (RowDescription tells it to clients).
    pub attnum: i16,
    /// In a SELECT's list, the OID of the table that the column plainly comes from.
    pub table: Oid,
}

/// ORDER BY, GROUP BY and DISTINCT items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortClause {
    /// Index into the target list.
    pub target: usize,
    /// Direction; meaningless for GROUP BY.
    pub order: SortOrder,
    /// The ordering operator's `<` or `>` function is the type's default unless USING was written: the operator.
    pub operator: Oid,
    /// The collation that sorts or groups.
    pub collation: Oid,
}

/// DISTINCT.
#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    /// Of whole rows.
    All,
    /// DISTINCT ON: keep the first row of each group.
    On(Vec<SortClause>),
}

/// OVER and WINDOW.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowClause {
    /// Its name, if any.
    pub name: Option<String>,
    /// PARTITION BY.
    pub partition_by: Vec<Expr>,
    /// ORDER BY.
    pub order_by: Vec<(Expr, SortOrder)>,
    /// The frame.
    pub frame: WindowFrame,
}

/// A window frame.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowFrame {
    /// ROWS, RANGE or GROUPS.
    pub mode: FrameMode,
    /// Where it starts.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
    /// EXCLUDE.
    pub exclude: FrameExclude,
}

/// Units of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FrameMode {
    Rows,
    Range,
    Groups,
}

/// An end of a frame.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(Expr),
    CurrentRow,
    Following(Expr),
    UnboundedFollowing,
}

/// Rows that a frame leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FrameExclude {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

/// FOR UPDATE and its kin, on one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowMark {
    /// The range table entry whose rows are locked.
    pub rte: usize,
    /// How strongly.
    pub strength: LockStrength,
    /// What to do when the row is locked already.
    pub wait: LockWait,
}

/// Strength of a row lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LockStrength {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

/// NOWAIT, SKIP LOCKED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LockWait {
    Block,
    Skip,
    Error,
}

/// UNION, INTERSECT, EXCEPT.
#[derive(Clone, Debug, PartialEq)]
pub enum SetOperation {
    /// A branch: a subquery entry of the range table.
    Leaf(usize),
    /// An operation on two branches, each already coerced to the common column types.
    Node {
        /// Which.
        op: SetOp,
        /// ALL.
        all: bool,
        /// Left branch.
        left: Box<SetOperation>,
        /// Right branch.
        right: Box<SetOperation>,
        /// Types of the columns.
        columns: Vec<ExprType>,
    },
}

/// The set operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SetOp {
    Union,
    Intersect,
    Except,
}

/// A WITH query.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonTableExpr {
    /// Its name.
    pub name: String,
    /// The query; for a recursive one a UNION whose right side refers to itself.
    pub query: Arc<Query>,
    /// Names and types of its columns.
    pub columns: Vec<RteColumn>,
    /// Whether it refers to itself.
    pub recursive: bool,
    /// `AS [NOT] MATERIALIZED`.
    pub materialized: Option<bool>,
    /// How often it is referred to.
    pub references: usize,
}

/// ON CONFLICT.
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflict {
    /// The unique indexes (`pg_class.oid`) that may conflict; empty for DO NOTHING without a target: all of them.
    pub arbiters: Vec<Oid>,
    /// DO UPDATE; `None` is DO NOTHING.
    pub update: Option<OnConflictUpdate>,
}

/// ON CONFLICT DO UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflictUpdate {
    /// SET, by attnum.
    pub set: Vec<TargetEntry>,
    /// WHERE.
    pub qual: Option<Expr>,
    /// The range table entry of `excluded`.
    pub excluded: usize,
}
