//! Views.

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::View;
use helios_types::{Oid, Result};

use crate::session::SessionContext;

/// The columns (relation and attnum) that a view's query uses.
pub(super) fn columns_used(
    _view: &View,
    _catalog: &CatalogSnapshot,
    _session: &SessionContext,
) -> Result<Vec<(Oid, i16)>> {
    Ok(Vec::new())
}
