//! What planning asks of the catalog: the facts of PostgreSQL 18, and a narrow door to the user's objects, so that
//! plans can be made and tested without a database.

use std::sync::Arc;

use helios_catalog::facts::{self, Proc, strategy};
use helios_catalog::model::{Column, Index, Table};
use helios_env::hash::HashSet;
use helios_env::sync::OnceLock;
use helios_types::{Oid, PgError, Result};

use crate::expr::{Expr, FuncExpr};

/// What planning asks about the user's objects. Everything is answered from memory.
pub trait PlanCatalog: Send + Sync {
    /// An index by `pg_class.oid`.
    fn index(&self, oid: Oid) -> Option<Arc<Index>>;
    /// Whether a scan may go by an index: one that was built after the transaction's snapshot was taken has entries
    /// for other versions of the rows than those that the snapshot sees.
    fn may_scan(&self, _index: &Index) -> bool {
        true
    }
    /// A stored expression over a table's columns (CHECK, index expression or predicate): its columns are
    /// [`crate::expr::Var`]s of range table entry 0.
    fn table_expression(&self, table: &Arc<Table>, text: &str) -> Result<Expr>;
    /// The expression that generates a column, of the column's type; its columns as in
    /// [`PlanCatalog::table_expression`].
    fn generation_expression(&self, table: &Arc<Table>, column: &Column, text: &str) -> Result<Expr>;
    /// About how many rows a table has; `None` when nobody knows.
    fn row_estimate(&self, table: &Table) -> Option<f64>;
}

/// A function that an analyzed expression calls.
pub(crate) fn proc(oid: Oid) -> Result<&'static Proc> {
    facts::procs().by_oid(oid).ok_or_else(|| PgError::internal(format_args!("no function has OID {oid}")))
}

/// What an operator compares, as btree operator families see it (`pg_amop.amopstrategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Strategy {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Strategy {
    /// The strategy of the same comparison with its sides exchanged.
    #[must_use]
    pub fn commuted(self) -> Strategy {
        match self {
            Strategy::Less => Strategy::Greater,
            Strategy::LessOrEqual => Strategy::GreaterOrEqual,
            Strategy::Equal => Strategy::Equal,
            Strategy::GreaterOrEqual => Strategy::LessOrEqual,
            Strategy::Greater => Strategy::Less,
        }
    }

    /// By `pg_amop.amopstrategy`.
    fn of_number(number: i16) -> Option<Strategy> {
        match number {
            strategy::LESS => Some(Strategy::Less),
            strategy::LESS_EQUAL => Some(Strategy::LessOrEqual),
            strategy::EQUAL => Some(Strategy::Equal),
            strategy::GREATER_EQUAL => Some(Strategy::GreaterOrEqual),
            strategy::GREATER => Some(Strategy::Greater),
            _ => None,
        }
    }
}

/// A btree operator family and what an operator compares in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// `pg_opfamily.oid`.
    pub family: Oid,
    /// What it compares.
    pub strategy: Strategy,
}

/// What an operator compares in the btree family that is its operands' default; `None` for other operators.
pub(crate) fn comparison(operator: Oid) -> Option<Comparison> {
    facts::family_operators()
        .of_operator(operator)
        .filter(|row| row.method == facts::BTREE && row.purpose == b's')
        .filter_map(|row| Some(Comparison { family: row.family, strategy: Strategy::of_number(row.strategy)? }))
        .min_by_key(|comparison| !is_default_family(comparison.family))
}

/// What an operator compares in one btree family.
pub(crate) fn comparison_in(operator: Oid, family: Oid) -> Option<Strategy> {
    facts::family_operators()
        .of_operator(operator)
        .find(|row| row.family == family && row.purpose == b's')
        .and_then(|row| Strategy::of_number(row.strategy))
}

/// The family of a btree operator class.
pub(crate) fn family_of_class(class: Oid) -> Option<Oid> {
    facts::operator_classes().by_oid(class).map(|class| class.family)
}

fn is_default_family(family: Oid) -> bool {
    facts::operator_classes().all().any(|class| class.family == family && class.default)
}

/// Whether the call is an equality of two values of one type that hash and compare as the type does.
pub(crate) fn is_plain_equality(call: &FuncExpr) -> bool {
    let Some(operator) = facts::operators().by_oid(call.operator) else { return false };
    operator.left == operator.right
        && comparison(call.operator)
            .is_some_and(|comparison| comparison.strategy == Strategy::Equal && is_default_family(comparison.family))
}

/// Whether a function is a comparison of a btree or hash family (or the negation of one): it never fails.
pub(crate) fn is_comparison(function: Oid) -> bool {
    // Made once from constants and never changed: not state.
    static COMPARISONS: OnceLock<HashSet<Oid>> = OnceLock::new();
    COMPARISONS
        .get_or_init(|| {
            let operators = facts::operators();
            let found = facts::family_operators().all().iter().filter(|row| row.purpose == b's');
            let found = found.filter(|row| row.method == facts::BTREE || row.method == facts::HASH);
            found
                .filter_map(|row| operators.by_oid(row.operator))
                .flat_map(|operator| [Some(operator), operators.by_oid(operator.negator)])
                .flatten()
                .map(|operator| operator.function)
                .collect()
        })
        .contains(&function)
}

/// `name(type, type)` as errors print it.
pub(crate) fn signature(proc: &Proc) -> String {
    let args: Vec<String> = proc.arg_types.iter().map(|oid| helios_types::format_type(*oid, -1)).collect();
    format!("{}({})", proc.name, args.join(", "))
}

/// The type of an array type's elements.
pub(crate) fn array_element(array: Oid) -> Option<Oid> {
    facts::types().by_oid(array).filter(|found| found.is_true_array()).map(|found| found.element)
}
