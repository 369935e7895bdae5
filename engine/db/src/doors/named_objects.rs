//! Values that are names of objects (`regclass`, `regtype`, ...), and types that are users'.

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::{facts, functions};
use helios_types::io::TypeSource;
use helios_types::{Datum, Oid, Result, TypeMod, oid};

use super::StatementDoors;

/// The types of a catalog, for reading values.
pub(crate) struct SessionTypes<'a>(pub(crate) &'a CatalogSnapshot);

impl TypeSource for SessionTypes<'_> {
    fn array_element(&self, type_oid: Oid) -> Option<Oid> {
        let found = self.0.type_by_oid(type_oid)?;
        found.is_true_array().then_some(found.element)
    }

    fn composite(&self, type_oid: Oid) -> Option<Arc<[(Oid, TypeMod)]>> {
        let relation = self.0.type_by_oid(type_oid)?.relation;
        let columns = match (self.0.table(relation), self.0.view(relation)) {
            (Some(table), _) => table.live_columns().map(|column| (column.type_oid, column.typmod)).collect(),
            (None, Some(view)) => view.columns.iter().map(|column| (column.type_oid, column.typmod)).collect(),
            (None, None) => return None,
        };
        Some(columns)
    }
}

/// Whether values of a type are OIDs that print as names.
pub(crate) fn is_named_object(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oid::REGPROC
            | oid::REGPROCEDURE
            | oid::REGOPER
            | oid::REGOPERATOR
            | oid::REGCLASS
            | oid::REGTYPE
            | oid::REGROLE
            | oid::REGNAMESPACE
            | oid::REGCONFIG
            | oid::REGDICTIONARY
            | oid::REGCOLLATION
    )
}

impl StatementDoors {
    /// Reads a name as a value of a `reg*` type; `None` for other types.
    pub(crate) fn named_object_input(&self, type_oid: Oid, text: &str) -> Option<Result<Datum>> {
        if !is_named_object(type_oid) {
            return None;
        }
        let function = facts::procs().by_oid(facts::types().by_oid(type_oid)?.input)?;
        functions::call(function.source, &[Datum::text(text)], &self.lookup(), self)
    }
}
