//! Execution: pull-based operators over column batches.
//!
//! ```text
//!   Plan ──build──▶ operators, pulled from the root by Execution
//!                    │ expressions: compiled programs over batches      (expression)
//!                    │ keys of rows: grouping, joins, DISTINCT          (hashing)
//!                    │ memory: reserved before it is used               (memory)
//!                    └ sequences, catalog, computed relations: doors    (context)
//! ```
//!
//! What holds everywhere: an operator reserves memory before it keeps rows; it looks at the cancel flag once a batch;
//! it never evaluates an expression for a row for which PostgreSQL would not.

pub mod batch;
pub mod cancel;
pub mod context;
mod execution;
pub mod expression;
mod figures;
mod hashing;
pub mod memory;
mod modify;
pub mod operator;
mod row_store;
pub mod table_access;

#[cfg(test)]
pub(crate) mod testing;

pub use batch::{BATCH_ROWS, Batch, ColumnRef};
pub use cancel::{CancelReason, CancelToken};
pub use context::{CatalogFunctions, Doors, ExecutionContext, Sequences, Setting, SystemRelations};
pub use execution::Execution;
pub use figures::{NodeFigures, PlanFigures};
pub use memory::{MemoryBudget, Reservation};
pub use table_access::{ScanCursor, ScanRequest, ScanSource, Tables};
