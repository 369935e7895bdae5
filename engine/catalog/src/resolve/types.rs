//! Questions about single types.

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::Lookup;
use crate::facts::{self, Type, TypeKind};

/// `typcategory` of strings.
pub(super) const CATEGORY_STRING: u8 = b'S';
/// No category.
pub(super) const CATEGORY_INVALID: u8 = 0;

/// OIDs of pseudo-types that `helios_types::oid` does not name.
pub(super) mod pseudo {
    use helios_types::Oid;

    pub(crate) const ANYMULTIRANGE: Oid = Oid(4537);
    pub(crate) const ANYCOMPATIBLEMULTIRANGE: Oid = Oid(4538);
}

impl<'a> Lookup<'a> {
    /// A type.
    pub fn type_by_oid(&self, oid: Oid) -> Option<&'a Type> {
        self.catalog.type_by_oid(oid)
    }

    /// The type that a name means; `None` when there is none.
    ///
    /// # Errors
    ///
    /// 3F000 when the schema does not exist.
    pub fn type_by_name(&self, schema: Option<&str>, name: &str) -> Result<Option<&'a Type>> {
        Ok(match schema {
            Some(schema) => self.catalog.type_by_name(self.catalog.lookup_schema(schema)?, name),
            None => self.search_path.iter().find_map(|&schema| self.catalog.type_by_name(schema, name)),
        })
    }

    /// What a domain is over, through domains over domains; other types as they are.
    pub fn base_type(&self, mut oid: Oid) -> Oid {
        while let Some(row) = self.type_by_oid(oid)
            && row.kind == TypeKind::Domain
        {
            oid = row.base;
        }
        oid
    }

    /// `typcategory`.
    pub fn category(&self, oid: Oid) -> u8 {
        self.type_by_oid(oid).map_or(CATEGORY_INVALID, |row| row.category)
    }

    /// Whether a type is the preferred one of this category.
    pub(super) fn is_preferred(&self, category: u8, oid: Oid) -> bool {
        self.type_by_oid(oid)
            .is_some_and(|row| row.preferred && (category == row.category || category == CATEGORY_INVALID))
    }

    /// The element type of an array type proper.
    pub fn element_type(&self, array: Oid) -> Option<Oid> {
        let row = self.type_by_oid(array)?;
        row.is_true_array().then_some(row.element)
    }

    /// The array type of an element type.
    pub fn array_type(&self, element: Oid) -> Option<Oid> {
        let array = self.type_by_oid(element)?.array;
        (!array.is_none()).then_some(array)
    }

    /// As [`Lookup::array_type`], or PostgreSQL's error.
    ///
    /// # Errors
    ///
    /// 42704 `could not find array type for data type x`.
    pub fn array_type_or_error(&self, element: Oid) -> Result<Oid> {
        self.array_type(element).ok_or_else(|| {
            let message = format!("could not find array type for data type {}", self.format_type(element));
            PgError::new(SqlState::UNDEFINED_OBJECT, message)
        })
    }

    /// Whether a type is an array, or a domain over one.
    pub(super) fn is_array_or_domain_over(&self, oid: Oid) -> bool {
        self.element_type(self.base_type(oid)).is_some()
    }

    /// Whether a type is an enum.
    pub(super) fn is_enum(&self, oid: Oid) -> bool {
        self.type_by_oid(oid).is_some_and(|row| row.kind == TypeKind::Enum)
    }

    /// The relation of a composite type, or of a domain over one.
    pub fn relation_of_row_type(&self, oid: Oid) -> Option<Oid> {
        let relation = self.type_by_oid(self.base_type(oid))?.relation;
        (!relation.is_none()).then_some(relation)
    }

    /// Whether a type is a named composite type, or a domain over one.
    pub fn is_complex(&self, oid: Oid) -> bool {
        self.relation_of_row_type(oid).is_some()
    }

    pub(super) fn is_complex_array(&self, oid: Oid) -> bool {
        self.element_type(oid).is_some_and(|element| self.is_complex(element))
    }

    /// The subtype of a range type.
    pub fn range_subtype(&self, range: Oid) -> Option<Oid> {
        facts::ranges().iter().find(|row| row.range == range).map(|row| row.subtype)
    }

    /// The range type of a multirange type.
    pub fn multirange_range(&self, multirange: Oid) -> Option<Oid> {
        facts::ranges().iter().find(|row| row.multirange == multirange).map(|row| row.range)
    }

    /// The multirange type of a range type.
    pub fn range_multirange(&self, range: Oid) -> Option<Oid> {
        facts::ranges().iter().find(|row| row.range == range).map(|row| row.multirange)
    }
}

/// Whether a type stands for others (`anyelement`, `anycompatiblearray`, ...).
pub(super) fn is_polymorphic(oid: Oid) -> bool {
    is_polymorphic_family_1(oid) || is_polymorphic_family_2(oid)
}

/// The family in which all arguments must be alike.
pub(super) fn is_polymorphic_family_1(oid: Oid) -> bool {
    matches!(
        oid,
        oid::ANYELEMENT | oid::ANYARRAY | oid::ANYNONARRAY | oid::ANYENUM | oid::ANYRANGE | pseudo::ANYMULTIRANGE
    )
}

/// The family in which all arguments must have a common type.
pub(super) fn is_polymorphic_family_2(oid: Oid) -> bool {
    matches!(
        oid,
        oid::ANYCOMPATIBLE
            | oid::ANYCOMPATIBLEARRAY
            | oid::ANYCOMPATIBLENONARRAY
            | oid::ANYCOMPATIBLERANGE
            | pseudo::ANYCOMPATIBLEMULTIRANGE
    )
}
