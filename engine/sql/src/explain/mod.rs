//! EXPLAIN: a plan as PostgreSQL would print it.
//!
//! ```text
//!   Plan ──items──▶ tree of Items ─┬─text──▶ Hash Join  (cost=...)
//!                                  │           Hash Cond: (a.i = b.i)
//!                                  │           ->  Seq Scan on a
//!                                  └─json──▶ [{"Plan": {"Node Type": "Hash Join", ...}}]
//! ```
//!
//! Plans here have nodes that PostgreSQL's have not: a filter or a projection is a node of its own, where PostgreSQL
//! makes it a part of the node below. Such nodes are shown as parts of the nodes that they stand above, so that the
//! output reads as PostgreSQL's does. A hash join's inner side is shown below a node `Hash`, as there.

mod items;
mod json;
mod text;

use std::time::Duration;

use helios_catalog::CatalogSnapshot;
use helios_types::Oid;
use helios_types::io::Style;

use crate::execute::{NodeFigures, PlanFigures};
use crate::plan::{Cost, Plan};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, clippy::struct_excessive_bools)]
pub struct ExplainOptions {
    pub verbose: bool,
    pub costs: bool,
    pub timing: bool,
    pub summary: bool,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ExplainFormat {
    #[default]
    Text,
    Json,
}

/// A plan to be explained.
pub struct Explained<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What its nodes did: EXPLAIN ANALYZE.
    pub figures: Option<&'a PlanFigures>,
    /// How long planning took.
    pub planning: Duration,
    /// How long the execution took.
    pub execution: Duration,
    /// What names mean.
    pub catalog: &'a CatalogSnapshot,
    /// The schemas whose names are left out.
    pub search_path: &'a [Oid],
    /// How constants print.
    pub style: &'a Style,
}

impl Explained<'_> {
    /// The output, line by line; a document of JSON is one item of several lines.
    pub fn lines(&self, options: ExplainOptions, format: ExplainFormat) -> Vec<String> {
        let root = items::Printer::new(self, options).root();
        match format {
            ExplainFormat::Text => {
                let mut lines = text::lines(&root, options);
                if options.summary {
                    lines.push(format!("Planning Time: {} ms", millis(self.planning)));
                    if self.figures.is_some() {
                        lines.push(format!("Execution Time: {} ms", millis(self.execution)));
                    }
                }
                lines
            }
            ExplainFormat::Json => {
                let planning = options.summary.then_some(self.planning);
                let execution = planning.and(self.figures).map(|_| self.execution);
                vec![json::document(&root, options, planning, execution)]
            }
        }
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1000.0)
}

/// A node as it is printed.
#[derive(Debug, Default)]
struct Item {
    /// What JSON calls it.
    node_type: &'static str,
    /// What text calls it.
    title: String,
    /// Facts that text has in the title.
    facts: Vec<(&'static str, String)>,
    /// `Filter: (a > 5)` and the like.
    properties: Vec<Property>,
    cost: Cost,
    figures: Option<NodeFigures>,
    children: Vec<Child>,
}

#[derive(Debug)]
enum Property {
    Text(&'static str, String),
    List(&'static str, Vec<String>),
    /// A number, which the text form leaves out when it is zero.
    Count(&'static str, u64),
}

#[derive(Debug)]
struct Child {
    /// What JSON calls the relationship.
    relationship: &'static str,
    /// `CTE c`, `SubPlan 1`, when the child is one.
    name: Option<String>,
    item: Item,
}
