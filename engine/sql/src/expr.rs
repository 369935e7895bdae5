//! Typed expressions: what analysis makes of the raw tree, what planning rewrites and what execution compiles.
//!
//! The node kinds and their names are PostgreSQL's (`primnodes.h`). Every node knows its result type; operators are
//! function calls that remember their operator for EXPLAIN and for index matching.

use std::sync::Arc;

use helios_types::{Datum, Oid, TypeMod};

use crate::parse::on_grown_stack;
use crate::query::{Query, SortClause};

/// The type of an expression's value: type, modifier, collation (`Oid::NONE` when the type has none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExprType {
    /// `pg_type.oid`.
    pub oid: Oid,
    /// Type modifier, -1 for none.
    pub typmod: TypeMod,
    /// `pg_collation.oid`.
    pub collation: Oid,
}

impl ExprType {
    /// A type without modifier or collation.
    pub const fn new(oid: Oid) -> ExprType {
        ExprType { oid, typmod: -1, collation: Oid::NONE }
    }
}

/// An expression and where it stands in the statement's text.
///
/// Two expressions are equal when they compute the same: where they stand, and how a coercion was asked for, does not
/// count (PostgreSQL's `equal()`). So a grouped expression is found again in a target list with `==`.
///
/// An expression may be thousands of levels deep, and a caller's thread may have a small stack: copying and comparing
/// grow it as they go down.
#[derive(Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// The type of its value.
    pub ty: ExprType,
    /// Byte offset into the statement, for errors.
    pub location: Option<u32>,
}

/// How a coercion was asked for; decides how it prints and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoercionForm {
    /// An ordinary function call.
    Call,
    /// `CAST(x AS t)` or `x::t`.
    Explicit,
    /// Inserted by the analyzer.
    Implicit,
    /// Special SQL syntax such as EXTRACT.
    SqlSyntax,
}

/// AND, OR, NOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoolOp {
    /// n-ary conjunction.
    And,
    /// n-ary disjunction.
    Or,
    /// Negation of one argument.
    Not,
}

/// `IS [NOT] {TRUE | FALSE | UNKNOWN}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BoolTest {
    IsTrue,
    IsNotTrue,
    IsFalse,
    IsNotFalse,
    IsUnknown,
    IsNotUnknown,
}

/// A reference to a column of a range table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Var {
    /// Index into [`Query::range_table`], from 0.
    pub rte: usize,
    /// Column of that entry, from 0, in the order of [`crate::query::RangeTblEntry::columns`] (dropped columns are not
    /// there). A negative number is a system column: see [`system_column`].
    pub column: i32,
    /// How many query levels up the range table is; 0 is the query that the expression belongs to.
    pub levels_up: u32,
}

/// System columns, by the negative `attnum` that PostgreSQL gives them.
pub mod system_column {
    /// The row's address; HeliosDB has none, so naming it fails with 0A000.
    pub const CTID: i32 = -1;
    /// The whole row as a composite value.
    pub const WHOLE_ROW: i32 = -100;
    /// The OID of the table that the row comes from.
    pub const TABLEOID: i32 = -6;
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A literal or a folded constant.
    Const(Datum),
    /// A column.
    Var(Var),
    /// `$n`, from 0.
    Param(usize),
    /// A value that the executor computes once and hands in (init plans, correlation parameters). Planner only.
    ExecParam(usize),
    /// A call of a function that is neither aggregate, window nor set-returning; operators too.
    Func(FuncExpr),
    /// A call of a set-returning function in a target list (SQL's `SELECT generate_series(1, 3)`).
    SetReturning(FuncExpr),
    /// `a IS DISTINCT FROM b` by the equality operator of `func`; negated, that is `IS NOT DISTINCT FROM`.
    DistinctFrom {
        /// The equality call; its two arguments are compared.
        func: Box<FuncExpr>,
        /// `IS NOT DISTINCT FROM`.
        negated: bool,
    },
    /// `NULLIF(a, b)` by the equality operator of the call.
    NullIf(Box<FuncExpr>),
    /// `a op ANY (array)` or `a op ALL (array)`.
    ScalarArrayOp {
        /// The element comparison: its first argument is the scalar, its second the *array*.
        func: Box<FuncExpr>,
        /// ANY (true) or ALL (false).
        any: bool,
    },
    /// AND, OR, NOT.
    Bool(BoolOp, Vec<Expr>),
    /// `CASE`. With `arg`, the `when` conditions contain [`ExprKind::CaseTestExpr`] in its place.
    Case {
        /// The tested value of `CASE x WHEN ...`.
        arg: Option<Box<Expr>>,
        /// Condition and result.
        whens: Vec<(Expr, Expr)>,
        /// ELSE; a NULL constant when it was absent.
        default: Box<Expr>,
    },
    /// Stands for the value of the innermost enclosing `CASE arg`.
    CaseTestExpr,
    /// COALESCE.
    Coalesce(Vec<Expr>),
    /// GREATEST (true) or LEAST (false).
    MinMax {
        /// GREATEST or LEAST.
        greatest: bool,
        /// The values compared.
        args: Vec<Expr>,
    },
    /// `x IS [NOT] NULL`; for a row type, of all (or no) fields.
    NullTest {
        /// The value.
        arg: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
        /// Whether the argument is a composite, so that the test is of its fields.
        row: bool,
    },
    /// `x IS TRUE` and its kin.
    BooleanTest(Box<Expr>, BoolTest),
    /// Same bits, other type (binary-compatible cast).
    Relabel(Box<Expr>, CoercionForm),
    /// Cast through the source type's output and the target type's input function.
    CoerceViaIo(Box<Expr>, CoercionForm),
    /// Cast of each element of an array; `element` takes the element as [`ExprKind::CaseTestExpr`].
    ArrayCoerce {
        /// The array.
        arg: Box<Expr>,
        /// What is done to each element.
        element: Box<Expr>,
    },
    /// Applies a length coercion (`varchar(n)`, `numeric(p,s)`, ...): see `helios_types::apply_typmod`.
    ApplyTypmod {
        /// The value, of the same type without modifier.
        arg: Box<Expr>,
        /// Whether the cast was explicit (strings are then cut silently).
        explicit: bool,
    },
    /// `ARRAY[...]`; nested when `multidimensional`.
    Array {
        /// The elements, or the inner arrays.
        elements: Vec<Expr>,
        /// Whether the elements are arrays themselves.
        multidimensional: bool,
    },
    /// `x COLLATE c`: the value itself; the collation is the node's type's.
    Collate(Box<Expr>),
    /// `SET a[i] = v`, `SET a[i:j] = v`: the array with that element (or those) replaced.
    SubscriptAssign {
        /// The array as it was; NULL makes a new one.
        arg: Box<Expr>,
        /// As in [`ExprKind::Subscript`].
        indexes: Vec<(Option<Expr>, Option<Expr>)>,
        /// Whether any dimension is a slice: the value is then an array.
        slice: bool,
        /// The new element or elements.
        value: Box<Expr>,
    },
    /// `a[i]`, `a[i:j]`, `a[i][j]`.
    Subscript {
        /// The array.
        arg: Box<Expr>,
        /// For each dimension, the lower bound (slices only) and the upper bound or index.
        indexes: Vec<(Option<Expr>, Option<Expr>)>,
        /// Whether any dimension is a slice, which makes the result an array.
        slice: bool,
    },
    /// `ROW(...)`.
    Row(Vec<Expr>),
    /// `(composite).field`, the field counted from 0.
    Field(Box<Expr>, usize),
    /// `(a, b) < (c, d)` and its kin: for `=` and `<>` the analyzer emits AND/OR instead.
    RowCompare {
        /// `<`, `<=`, `>=` or `>`.
        op: RowCompareOp,
        /// Per column, the call of that operator on the two values (used for its comparison semantics).
        columns: Vec<FuncExpr>,
    },
    /// An aggregate call. Only in target lists and HAVING of the query level it belongs to.
    Aggregate(Box<Aggregate>),
    /// A window function call.
    Window(Box<WindowCall>),
    /// A subquery used as an expression.
    SubLink(Box<SubLink>),
    /// A planned subquery. Planner only: `index` into the plan's list of subplans.
    SubPlan(Box<SubPlan>),
    /// `GROUPING(...)`: the grouping expressions' indexes.
    Grouping(Vec<usize>),
    /// `CURRENT_USER`, `CURRENT_DATE`, ...: SQL's keywords that look like columns.
    SqlValue(SqlValue),
    /// `DEFAULT` in VALUES or SET; replaced by the analyzer before the query is returned.
    SetToDefault,
    /// `nextval` of the sequence with this OID, for identity and serial defaults.
    NextValue(Oid),
}

/// A function call. Equality ignores `form`.
#[derive(Clone, Debug)]
pub struct FuncExpr {
    /// `pg_proc.oid`.
    pub function: Oid,
    /// `pg_operator.oid` when it was written as an operator, else `Oid::NONE`.
    pub operator: Oid,
    /// Arguments, coerced to the declared types.
    pub args: Vec<Expr>,
    /// The collation the function must use (`inputcollid`).
    pub input_collation: Oid,
    /// Whether the last argument is the array that VARIADIC arguments were gathered into.
    pub variadic: bool,
    /// How it was asked for.
    pub form: CoercionForm,
}

/// Ordering operators on rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RowCompareOp {
    Lt,
    Le,
    Ge,
    Gt,
}

/// An aggregate call.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// `pg_proc.oid` of the aggregate.
    pub function: Oid,
    /// Direct arguments of ordered-set aggregates.
    pub direct_args: Vec<Expr>,
    /// Aggregated arguments; empty for `count(*)`.
    pub args: Vec<Expr>,
    /// `count(*)`-style call.
    pub star: bool,
    /// DISTINCT.
    pub distinct: bool,
    /// ORDER BY inside the call, or WITHIN GROUP.
    pub order_by: Vec<AggregateOrder>,
    /// FILTER (WHERE ...).
    pub filter: Option<Expr>,
    /// The collation the aggregate must use.
    pub input_collation: Oid,
    /// Query level it belongs to, counted upwards from where it stands.
    pub levels_up: u32,
}

/// One ORDER BY item inside an aggregate call.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateOrder {
    /// The sort key.
    pub expr: Expr,
    /// How it sorts.
    pub order: SortOrder,
}

/// How a sort key sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SortOrder {
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// A window function call.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCall {
    /// `pg_proc.oid` of the window function or aggregate.
    pub function: Oid,
    /// Arguments.
    pub args: Vec<Expr>,
    /// `count(*) OVER ...`.
    pub star: bool,
    /// FILTER, for aggregates.
    pub filter: Option<Expr>,
    /// Index into [`Query::windows`].
    pub window: usize,
    /// The collation the function must use.
    pub input_collation: Oid,
}

/// What a subquery expression asks.
#[derive(Clone, Debug, PartialEq)]
pub enum SubLinkKind {
    /// EXISTS (...).
    Exists,
    /// `x op ANY (...)`, `x IN (...)`; `test` compares [`SubLink::test`].
    Any,
    /// `x op ALL (...)`.
    All,
    /// A scalar subquery.
    Scalar,
    /// `ARRAY(SELECT ...)`.
    Array,
    /// `(a, b) op (SELECT ...)`: a single-row comparison.
    RowCompare,
    /// `UPDATE ... SET (a, b) = (SELECT ...)`, the `n`-th of the statement: the row as a record (all NULL when there is
    /// none; two rows are an error). Each assigned column is an [`ExprKind::Field`] of it, with the same `n` and the
    /// same query, so that it need be run but once.
    MultiExpr(usize),
}

/// A subquery used as an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct SubLink {
    /// What is asked.
    pub kind: SubLinkKind,
    /// For ANY, ALL and RowCompare: the comparison, in which [`ExprKind::ExecParam`]`(i)` stands for the subquery's
    /// `i`-th output column.
    pub test: Option<Expr>,
    /// For ANY and ALL with a single plain comparison: the left-hand sides, one per column (already coerced).
    pub left: Vec<Expr>,
    /// The subquery.
    pub query: Arc<Query>,
}

/// A planned subquery expression.
#[derive(Clone, Debug, PartialEq)]
pub struct SubPlan {
    /// What is asked.
    pub kind: SubLinkKind,
    /// Index into the plan's subplans.
    pub index: usize,
    /// The comparison, as in [`SubLink::test`].
    pub test: Option<Expr>,
    /// Left-hand sides, as in [`SubLink::left`].
    pub left: Vec<Expr>,
    /// Outer values to hand in: executor parameter and the expression that yields it, per correlated column.
    pub params: Vec<(usize, Expr)>,
    /// The executor parameters that stand for the subquery's columns in `test`.
    pub columns: Vec<usize>,
    /// Types of the subquery's columns.
    pub types: Vec<ExprType>,
    /// Whether its rows are looked up by `left` in a hash table that is built once.
    pub hashed: bool,
}

/// SQL's niladic keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SqlValue {
    CurrentDate,
    CurrentTime,
    CurrentTimestamp,
    LocalTime,
    LocalTimestamp,
    CurrentRole,
    CurrentUser,
    User,
    SessionUser,
    CurrentCatalog,
    CurrentSchema,
}

impl Clone for Expr {
    fn clone(&self) -> Expr {
        let kind = on_grown_stack(|| self.kind.clone());
        Expr { kind, ty: self.ty, location: self.location }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.ty == other.ty
            && on_grown_stack(|| match (&self.kind, &other.kind) {
                (ExprKind::Relabel(a, _), ExprKind::Relabel(b, _))
                | (ExprKind::CoerceViaIo(a, _), ExprKind::CoerceViaIo(b, _)) => a == b,
                (a, b) => a == b,
            })
    }
}

impl PartialEq for FuncExpr {
    fn eq(&self, other: &FuncExpr) -> bool {
        self.function == other.function
            && self.operator == other.operator
            && self.input_collation == other.input_collation
            && self.variadic == other.variadic
            && self.args == other.args
    }
}

impl Expr {
    /// A constant.
    pub fn constant(value: Datum, ty: ExprType) -> Expr {
        Expr { kind: ExprKind::Const(value), ty, location: None }
    }

    /// The NULL constant of a type.
    pub fn null(ty: ExprType) -> Expr {
        Expr::constant(Datum::Null, ty)
    }

    /// The same expression at a place in the text.
    #[must_use]
    pub fn at(mut self, location: Option<u32>) -> Expr {
        self.location = location;
        self
    }

    /// Whether this is a literal or a folded constant.
    pub fn as_const(&self) -> Option<&Datum> {
        match &self.kind {
            ExprKind::Const(value) => Some(value),
            _ => None,
        }
    }
}

/// Marks that a sort clause refers to a target entry; re-exported for readers of [`Aggregate`].
pub type SortItem = SortClause;
