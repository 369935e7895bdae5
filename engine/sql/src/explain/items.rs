//! From plan nodes to items.

use helios_catalog::facts::{quote_identifier, quote_qualified};

use super::{Child, ExplainOptions, Explained, Item, Property};
use crate::analyze::for_each_expr;
use crate::deparse::{ColumnNames, Deparser};
use crate::expr::{BoolOp, Expr, ExprKind, ExprType, SortOrder, SubPlan, Var, system_column};
use crate::plan::{
    AggregateStrategy, Aggregation, HashJoin, IndexScan, ModifyAction, ModifyTable, NestLoop, NodeKind, PlanNode,
    RelationName, Scalar, SortKey, TableScan,
};
use crate::query::{JoinKind, SetOp};

/// Prints nodes.
pub(super) struct Printer<'e, 'a> {
    explained: &'e Explained<'a>,
    options: ExplainOptions,
    deparser: Deparser<'e>,
    /// Whether columns carry their relation's name: there are several, or VERBOSE.
    qualified: bool,
}

impl ColumnNames for Printer<'_, '_> {
    fn column(&self, var: &Var) -> String {
        let unknown = RelationName::default();
        let relation = self.explained.plan.relations.get(var.rte).unwrap_or(&unknown);
        let column = match usize::try_from(var.column).ok().and_then(|column| relation.columns.get(column)) {
            Some(name) => quote_identifier(name).into_owned(),
            None if var.column == system_column::TABLEOID => "tableoid".to_owned(),
            None if var.column == system_column::WHOLE_ROW => "*".to_owned(),
            // The key of a row is its place, as in PostgreSQL.
            None => "ctid".to_owned(),
        };
        if self.qualified && !relation.alias.is_empty() {
            format!("{}.{column}", quote_identifier(&relation.alias))
        } else {
            column
        }
    }

    fn sub_plan(&self, plan: &SubPlan) -> String {
        let Some(found) = self.explained.plan.subplans.get(plan.index) else { return "(SubPlan)".to_owned() };
        if found.init { format!("({}).col1", found.name) } else { format!("({})", found.name) }
    }
}

impl<'e, 'a> Printer<'e, 'a> {
    pub(super) fn new(explained: &'e Explained<'a>, options: ExplainOptions) -> Printer<'e, 'a> {
        let deparser = Deparser::new(explained.catalog, explained.search_path, explained.style);
        let qualified = options.verbose || explained.plan.relations.len() > 1;
        Printer { explained, options, deparser, qualified }
    }

    /// The whole plan; WITH queries that are run once stand below the root.
    pub(super) fn root(&self) -> Item {
        let mut root = self.item(&self.explained.plan.root);
        let ctes = self.explained.plan.ctes.iter().map(|cte| Child {
            relationship: "InitPlan",
            name: Some(format!("CTE {}", cte.name)),
            item: self.item(&cte.root),
        });
        root.children.splice(0..0, ctes);
        root
    }

    fn text(&self, expr: &Expr) -> String {
        self.deparser.expression(expr, self)
    }

    fn conjunction(&self, exprs: &[&Expr]) -> String {
        match exprs {
            [only] => self.text(only),
            several => {
                let args = several.iter().map(|expr| (*expr).clone()).collect();
                let ty = ExprType::new(helios_types::oid::BOOL);
                self.text(&Expr { kind: ExprKind::Bool(BoolOp::And, args), ty, location: None })
            }
        }
    }

    /// An item for a node, with what stands above it and is no item of its own still to come.
    fn item(&self, node: &PlanNode) -> Item {
        crate::parse::on_grown_stack(|| {
            let mut item = self.bare_item(node);
            item.cost = node.cost;
            item.figures = self.explained.figures.map(|figures| figures.of(node));
            if self.options.verbose && !is_part(&node.kind) && !node.output.is_empty() {
                let columns = node.output.iter().map(|column| self.text(column)).collect();
                item.properties.insert(0, Property::List("Output", columns));
            }
            item
        })
    }

    fn bare_item(&self, node: &PlanNode) -> Item {
        match &node.kind {
            NodeKind::Result => named("Result"),
            NodeKind::Empty => {
                let mut item = named("Result");
                item.properties.push(Property::Text("One-Time Filter", "false".to_owned()));
                item
            }
            NodeKind::Values(rows) => {
                let mut item = named("Values Scan");
                item.title = "Values Scan on \"*VALUES*\"".to_owned();
                item.facts.push(("Alias", "*VALUES*".to_owned()));
                self.subplans(rows.iter().flatten().map(|scalar| &scalar.expr), &mut item);
                item
            }
            NodeKind::SeqScan(scan) => {
                let mut item = self.scan("Seq Scan", scan.rte, None);
                self.filter(node, &scan.filter, &mut item);
                item
            }
            NodeKind::IndexScan(scan) => self.index_scan(node, scan),
            NodeKind::SystemScan { rte, .. } => self.scan("Seq Scan", *rte, None),
            NodeKind::FunctionScan { rte, .. } => self.scan("Function Scan", *rte, None),
            NodeKind::CteScan { rte, .. } => self.scan("CTE Scan", *rte, None),
            NodeKind::WorkTableScan { rte, .. } => self.scan("WorkTable Scan", *rte, None),
            NodeKind::SubqueryScan { input, .. } => self.item(input),
            NodeKind::Project { input, targets } => {
                let mut item = self.item(input);
                self.subplans(targets.iter().map(|target| &target.expr), &mut item);
                item
            }
            NodeKind::Filter { input, conditions } => self.filtered(node, input, conditions),
            NodeKind::OneTimeFilter { input, conditions } => {
                let conditions: Vec<&Expr> = conditions.iter().map(|condition| &condition.expr).collect();
                let mut item = named("Result");
                item.properties.push(Property::Text("One-Time Filter", self.conjunction(&conditions)));
                self.subplans(conditions.into_iter(), &mut item);
                item.children.push(outer(self.item(input)));
                item
            }
            NodeKind::NestLoop(join) => self.nest_loop(join),
            NodeKind::HashJoin(join) => self.hash_join(join),
            NodeKind::Aggregate(aggregation) => self.aggregate(aggregation),
            NodeKind::ModifyTable(modify) => self.modify(modify),
            NodeKind::Sort { input, keys } => {
                let mut item = self.above("Sort", input);
                item.properties.push(Property::List("Sort Key", self.sort_keys(keys, input)));
                item
            }
            NodeKind::Limit { input, limit, offset, .. } => {
                let mut item = self.above("Limit", input);
                self.subplans([limit, offset].into_iter().flatten().map(|scalar| &scalar.expr), &mut item);
                item
            }
            NodeKind::ProjectSet { input, .. } => self.above("ProjectSet", input),
            NodeKind::Materialize { input } => self.above("Materialize", input),
            NodeKind::Unique { input, .. } => self.above("Unique", input),
            NodeKind::LockRows(lock) => self.above("LockRows", &lock.input),
            NodeKind::Window(window) => self.above("WindowAgg", &window.input),
            NodeKind::SetOp { left, right, op, all } => {
                let mut item = named("SetOp");
                let operation = match op {
                    SetOp::Intersect => "Intersect",
                    _ => "Except",
                };
                let suffix = if *all { " All" } else { "" };
                item.title = format!("HashSetOp {operation}{suffix}");
                item.facts.push(("Strategy", "Hashed".to_owned()));
                item.facts.push(("Command", format!("{operation}{suffix}")));
                item.children = vec![outer(self.item(left)), inner(self.item(right))];
                item
            }
            NodeKind::Append { inputs } => {
                let mut item = named("Append");
                item.children = inputs
                    .iter()
                    .map(|input| Child { relationship: "Member", name: None, item: self.item(input) })
                    .collect();
                item
            }
            NodeKind::RecursiveUnion { base, recursive, .. } => {
                let mut item = named("Recursive Union");
                item.children = vec![outer(self.item(base)), inner(self.item(recursive))];
                item
            }
        }
    }

    fn above(&self, node_type: &'static str, input: &PlanNode) -> Item {
        let mut item = named(node_type);
        item.children.push(outer(self.item(input)));
        item
    }

    /// `Seq Scan on t x`.
    fn scan(&self, node_type: &'static str, rte: usize, by: Option<&str>) -> Item {
        let mut item = named(node_type);
        let unknown = RelationName::default();
        let relation = self.explained.plan.relations.get(rte).unwrap_or(&unknown);
        let schema = self.explained.catalog.schema_name(relation.schema).filter(|_| self.options.verbose);
        let name = match schema {
            Some(schema) => quote_qualified(schema, &relation.name),
            None => quote_identifier(&relation.name).into_owned(),
        };
        let using = by.map(|index| format!(" using {}", quote_identifier(index))).unwrap_or_default();
        item.title = format!("{node_type}{using} on {name}");
        if relation.alias != relation.name {
            item.title.push_str(&format!(" {}", quote_identifier(&relation.alias)));
        }
        let kind = match node_type {
            "Function Scan" => "Function Name",
            "CTE Scan" | "WorkTable Scan" => "CTE Name",
            _ => "Relation Name",
        };
        item.facts.push((kind, relation.name.clone()));
        item.facts.push(("Alias", relation.alias.clone()));
        item
    }

    fn index_scan(&self, node: &PlanNode, scan: &IndexScan) -> Item {
        let node_type = if scan.index_only { "Index Only Scan" } else { "Index Scan" };
        let TableScan { rte, filter, .. } = &scan.scan;
        let mut item = self.scan(node_type, *rte, Some(&scan.index.name));
        if scan.backward {
            item.title = item.title.replacen(node_type, &format!("{node_type} Backward"), 1);
        }
        let direction = if scan.backward { "Backward" } else { "Forward" };
        item.facts.insert(0, ("Index Name", scan.index.name.clone()));
        item.facts.insert(0, ("Scan Direction", direction.to_owned()));
        if !scan.conditions.is_empty() {
            let conditions: Vec<&Expr> = scan.conditions.iter().collect();
            item.properties.push(Property::Text("Index Cond", self.conjunction(&conditions)));
            self.subplans(conditions.into_iter(), &mut item);
        }
        self.filter(node, filter, &mut item);
        item
    }

    /// A scan's own filter.
    fn filter(&self, node: &PlanNode, filter: &[Scalar], item: &mut Item) {
        if filter.is_empty() {
            return;
        }
        let conditions: Vec<&Expr> = filter.iter().map(|scalar| &scalar.expr).collect();
        item.properties.push(Property::Text("Filter", self.conjunction(&conditions)));
        self.removed(node, item);
        self.subplans(conditions.into_iter(), item);
    }

    /// How many rows the filter of a node has kept back, on average of its loops.
    fn removed(&self, node: &PlanNode, item: &mut Item) {
        let figures = self.explained.figures.map(|figures| figures.of(node));
        if let Some(figures) = figures.filter(|figures| figures.loops > 0) {
            let average = (figures.removed as f64 / figures.loops as f64).round_ties_even() as u64;
            item.properties.push(Property::Count("Rows Removed by Filter", average));
        }
    }

    /// A filter over a node is a part of it.
    fn filtered(&self, node: &PlanNode, input: &PlanNode, conditions: &[Scalar]) -> Item {
        let mut item = match &input.kind {
            NodeKind::SubqueryScan { rte, input } => {
                let mut scan = self.scan("Subquery Scan", *rte, None);
                let alias = self.explained.plan.relations.get(*rte).map_or("", |relation| &relation.alias);
                scan.title = format!("Subquery Scan on {}", quote_identifier(alias));
                scan.facts.retain(|(name, _)| *name == "Alias");
                scan.children.push(Child { relationship: "Subquery", name: None, item: self.item(input) });
                scan
            }
            _ => self.item(input),
        };
        let conditions: Vec<&Expr> = conditions.iter().map(|condition| &condition.expr).collect();
        item.properties.push(Property::Text("Filter", self.conjunction(&conditions)));
        self.removed(node, &mut item);
        self.subplans(conditions.into_iter(), &mut item);
        item
    }

    fn nest_loop(&self, join: &NestLoop) -> Item {
        let mut item = named("Nested Loop");
        item.title = format!("Nested Loop{}", join_word(join.kind, " Join"));
        item.facts.push(("Join Type", join_type(join.kind).to_owned()));
        let conditions: Vec<&Expr> = join.condition.iter().map(|condition| &condition.expr).collect();
        if !conditions.is_empty() {
            item.properties.push(Property::Text("Join Filter", self.conjunction(&conditions)));
        }
        self.subplans(conditions.into_iter(), &mut item);
        item.children.push(outer(self.item(&join.outer)));
        item.children.push(inner(self.item(&join.inner)));
        item
    }

    fn hash_join(&self, join: &HashJoin) -> Item {
        let mut item = named("Hash Join");
        let word = join_word(join.kind, "");
        item.title = format!("Hash{word} Join");
        item.facts.push(("Join Type", join_type(join.kind).to_owned()));
        let clauses: Vec<&Expr> = join.clauses.iter().collect();
        if !clauses.is_empty() {
            item.properties.push(Property::Text("Hash Cond", self.conjunction(&clauses)));
        }
        let residual: Vec<&Expr> = join.residual.iter().map(|condition| &condition.expr).collect();
        if !residual.is_empty() {
            item.properties.push(Property::Text("Join Filter", self.conjunction(&residual)));
        }
        self.subplans(residual.into_iter(), &mut item);
        let hashed = self.item(&join.inner);
        let mut hash = named("Hash");
        hash.cost = crate::plan::Cost { startup: hashed.cost.total, ..hashed.cost };
        hash.figures = hashed.figures;
        hash.children.push(outer(hashed));
        item.children.push(outer(self.item(&join.outer)));
        item.children.push(inner(hash));
        item
    }

    fn aggregate(&self, aggregation: &Aggregation) -> Item {
        let mut item = self.above("Aggregate", &aggregation.input);
        let (title, strategy) = match aggregation.strategy {
            _ if aggregation.sets.len() > 1 => ("MixedAggregate", "Mixed"),
            AggregateStrategy::Plain => ("Aggregate", "Plain"),
            AggregateStrategy::Sorted => ("GroupAggregate", "Sorted"),
            // HashAggregate without calls is how DISTINCT is done, there as here.
            AggregateStrategy::Hashed => ("HashAggregate", "Hashed"),
        };
        item.title = title.to_owned();
        item.facts.push(("Strategy", strategy.to_owned()));
        let output = &aggregation.input.output;
        let key = |at: usize| output.get(aggregation.keys[at]).map_or_else(String::new, |expr| self.text(expr));
        if aggregation.sets.is_empty() {
            if !aggregation.keys.is_empty() {
                let keys = (0..aggregation.keys.len()).map(key).collect();
                item.properties.push(Property::List("Group Key", keys));
            }
        } else {
            for set in &aggregation.sets {
                let name = if title == "MixedAggregate" && !set.is_empty() { "Hash Key" } else { "Group Key" };
                let keys: Vec<String> = set.iter().map(|at| key(*at)).collect();
                let keys = if keys.is_empty() { vec!["()".to_owned()] } else { keys };
                item.properties.push(Property::List(name, keys));
            }
        }
        item
    }

    fn modify(&self, modify: &ModifyTable) -> Item {
        let (verb, conflict) = match &modify.action {
            ModifyAction::Insert { on_conflict, .. } => ("Insert", on_conflict.as_ref()),
            ModifyAction::Update { .. } => ("Update", None),
            ModifyAction::Delete { .. } => ("Delete", None),
        };
        let mut item = self.scan("ModifyTable", modify.rte, None);
        item.title = item.title.replacen("ModifyTable", verb, 1);
        item.facts.insert(0, ("Operation", verb.to_owned()));
        if let Some(conflict) = conflict {
            let resolution = if conflict.update.is_some() { "UPDATE" } else { "NOTHING" };
            item.properties.push(Property::Text("Conflict Resolution", resolution.to_owned()));
            if conflict.update.is_some() || !conflict.arbiters.is_empty() {
                let name = |at: &usize| modify.indexes.get(*at).map(|index| index.index.name.clone());
                let names = conflict.arbiters.iter().filter_map(name).collect();
                item.properties.push(Property::List("Conflict Arbiter Indexes", names));
            }
        }
        match &modify.input {
            Some(input) => item.children.push(outer(self.item(input))),
            None => {
                let mut row = named("Result");
                row.cost = crate::plan::Cost { rows: 1.0, ..crate::plan::Cost::default() };
                item.children.push(outer(row));
            }
        }
        item
    }

    fn sort_keys(&self, keys: &[SortKey], input: &PlanNode) -> Vec<String> {
        keys.iter()
            .map(|key| {
                let Some(expr) = input.output.get(key.column) else { return String::new() };
                let text = self.text(expr);
                // What a node below has computed stands in parentheses.
                let text = if matches!(expr.kind, ExprKind::Var(_)) { text } else { format!("({text})") };
                format!("{text}{}", direction(key.order))
            })
            .collect()
    }

    /// The subqueries that an item's expressions ask.
    fn subplans<'x>(&self, exprs: impl Iterator<Item = &'x Expr>, item: &mut Item) {
        let mut found: Vec<usize> = Vec::new();
        for expr in exprs {
            for_each_expr(expr, &mut |part| {
                if let ExprKind::SubPlan(plan) = &part.kind
                    && !found.contains(&plan.index)
                {
                    found.push(plan.index);
                }
            });
        }
        found.sort_unstable();
        let subplans = &self.explained.plan.subplans;
        let children = found.into_iter().filter_map(|index| subplans.get(index)).map(|subplan| Child {
            relationship: if subplan.init { "InitPlan" } else { "SubPlan" },
            name: Some(subplan.name.clone()),
            item: self.item(&subplan.root),
        });
        item.children.splice(0..0, children);
    }
}

/// Nodes that are shown as parts of others.
fn is_part(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::Filter { .. } | NodeKind::Project { .. } | NodeKind::SubqueryScan { .. })
}

fn named(node_type: &'static str) -> Item {
    Item { node_type, title: node_type.to_owned(), ..Item::default() }
}

fn outer(item: Item) -> Child {
    Child { relationship: "Outer", name: None, item }
}

fn inner(item: Item) -> Child {
    Child { relationship: "Inner", name: None, item }
}

fn join_type(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "Inner",
        JoinKind::Left => "Left",
        JoinKind::Right => "Right",
        JoinKind::Full => "Full",
        JoinKind::Semi => "Semi",
        JoinKind::Anti => "Anti",
    }
}

/// ` Left` and what follows; nothing for an inner join.
fn join_word(kind: JoinKind, after: &str) -> String {
    match kind {
        JoinKind::Inner => String::new(),
        other => format!(" {}{after}", join_type(other)),
    }
}

fn direction(order: SortOrder) -> &'static str {
    match (order.descending, order.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    }
}
