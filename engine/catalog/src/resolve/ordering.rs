//! How types sort, compare and are indexed: default operator classes.

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::Lookup;
use crate::facts::{self, BTREE, HASH, OperatorClass, TypeKind, strategy};

/// The operators by which a type is sorted and grouped: of its default btree operator class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OrderingOperators {
    pub family: Oid,
    /// What the class takes: the type itself, what it is binary-coercible to, or a polymorphic type.
    pub input: Oid,
    pub less: Oid,
    pub equal: Oid,
    pub greater: Oid,
}

impl Lookup<'_> {
    /// The default operator class of an access method for a type: an exact one, else the one of a type that it is
    /// binary-coercible to, the preferred one first (`GetDefaultOpClass`). `None` when there is none or several.
    pub fn default_operator_class(&self, method: Oid, of: Oid) -> Option<&'static OperatorClass> {
        let of = self.base_type(of);
        let category = self.category(of);
        let (mut exact, mut preferred, mut compatible) = (Vec::new(), Vec::new(), Vec::new());
        for class in facts::operator_classes().all().filter(|class| class.default && class.method == method) {
            if class.input == of {
                exact.push(class);
            } else if self.is_binary_coercible(of, class.input) {
                if self.is_preferred(category, class.input) { preferred.push(class) } else { compatible.push(class) }
            }
        }
        match (exact.as_slice(), preferred.as_slice(), compatible.as_slice()) {
            ([one], _, _) | ([], [one], _) | ([], [], [one]) => Some(one),
            _ => None,
        }
    }

    /// The operators that sort and group a type; `None` when it has no order.
    pub fn ordering_operators(&self, of: Oid) -> Option<OrderingOperators> {
        let of = self.base_type(of);
        let class = self.default_operator_class(BTREE, of)?;
        let find = |strategy| {
            facts::family_operators().find(class.family, class.input, class.input, strategy).map(|row| row.operator)
        };
        // An array, range or row sorts when what it is made of does.
        self.parts_are(of, |lookup, part| lookup.ordering_operators(part).is_some()).then_some(())?;
        Some(OrderingOperators {
            family: class.family,
            input: class.input,
            less: find(strategy::LESS)?,
            equal: find(strategy::EQUAL)?,
            greater: find(strategy::GREATER)?,
        })
    }

    /// As [`Lookup::ordering_operators`], or PostgreSQL's error.
    ///
    /// # Errors
    ///
    /// 42883 `could not identify an ordering operator for type json`.
    pub fn ordering_operators_or_error(&self, of: Oid) -> Result<OrderingOperators> {
        self.ordering_operators(of).ok_or_else(|| {
            let message = format!("could not identify an ordering operator for type {}", self.format_type(of));
            PgError::new(SqlState::UNDEFINED_FUNCTION, message)
                .with_hint("Use an explicit ordering operator or modify the query.")
        })
    }

    /// The operator that tells whether two values of a type are equal: of the default btree class, else of the default
    /// hash class.
    ///
    /// # Errors
    ///
    /// 42883 `could not identify an equality operator for type json`.
    pub fn equality_operator(&self, of: Oid) -> Result<Oid> {
        self.equality(self.base_type(of)).ok_or_else(|| {
            let message = format!("could not identify an equality operator for type {}", self.format_type(of));
            PgError::new(SqlState::UNDEFINED_FUNCTION, message)
        })
    }

    fn equality(&self, of: Oid) -> Option<Oid> {
        // Of hash classes, strategy 1 is equality.
        let by = |method, strategy| {
            let class = self.default_operator_class(method, of)?;
            facts::family_operators().find(class.family, class.input, class.input, strategy).map(|row| row.operator)
        };
        let found = by(BTREE, strategy::EQUAL).or_else(|| by(HASH, 1))?;
        self.parts_are(of, |lookup, part| lookup.equality(lookup.base_type(part)).is_some()).then_some(found)
    }

    /// Whether what an array, range or row is made of passes a test; true for other types.
    fn parts_are(&self, of: Oid, test: fn(&Self, Oid) -> bool) -> bool {
        let Some(row) = self.type_by_oid(of) else { return false };
        match row.kind {
            TypeKind::Range => self.range_subtype(of).is_some_and(|subtype| test(self, subtype)),
            TypeKind::Multirange => self.multirange_range(of).is_some_and(|range| test(self, range)),
            TypeKind::Composite => self.columns_are(row.relation, test),
            _ if row.is_true_array() => {
                matches!(of, oid::INT2VECTOR | oid::OIDVECTOR) || row.element == oid::RECORD || test(self, row.element)
            }
            // An array of nobody knows what.
            _ => of != oid::ANYARRAY,
        }
    }

    fn columns_are(&self, relation: Oid, test: fn(&Self, Oid) -> bool) -> bool {
        if let Some(table) = self.catalog.table(relation) {
            return table.live_columns().all(|column| test(self, column.type_oid));
        }
        if let Some(view) = self.catalog.view(relation) {
            return view.columns.iter().all(|column| test(self, column.type_oid));
        }
        facts::attributes().of(relation).iter().all(|column| test(self, column.type_oid))
    }

    /// Whether a type can be hashed by its default hash class (for hash joins and hash aggregation).
    pub fn is_hashable(&self, of: Oid) -> bool {
        let of = self.base_type(of);
        self.default_operator_class(HASH, of).is_some()
            && match self.element_type(of) {
                Some(element) => self.is_hashable(element),
                None => true,
            }
    }
}
