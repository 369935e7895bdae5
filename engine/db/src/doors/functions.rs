//! Functions over the catalog and the session, by `prosrc`.

use helios_env::BoxFuture;
use helios_sql::execute::CatalogFunctions;
use helios_sql::expr::ExprType;
use helios_types::{Datum, Oid, PgError, Result};

use super::StatementDoors;

impl CatalogFunctions for StatementDoors {
    fn call<'a>(&'a self, source: &'a str, args: &'a [Datum], result: ExprType) -> BoxFuture<'a, Result<Datum>> {
        Box::pin(std::future::ready(self.call_now(source, args, result)))
    }

    fn schema_name(&self, schema: Oid) -> String {
        self.catalog.schema_name(schema).unwrap_or_default().to_owned()
    }
}

impl StatementDoors {
    fn call_now(&self, source: &str, _args: &[Datum], _result: ExprType) -> Result<Datum> {
        Err(PgError::unsupported(format!("function {source}")))
    }
}
