//! Planning (in the making): the plan's nodes and the door to the catalog come first.

pub(crate) mod catalog;
mod modify;
mod node;
mod param_set;

pub use catalog::{Comparison, PlanCatalog, Strategy};
pub use modify::{CheckPlan, ConflictPlan, ConflictUpdate, IndexPlan, LockMark, LockRows, ModifyAction, ModifyTable};
pub use node::*;
pub use param_set::ParamSet;
