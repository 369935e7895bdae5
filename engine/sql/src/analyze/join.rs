//! JOIN: ON, USING and NATURAL, merged columns, and what of the sides stays visible.

use helios_types::{Oid, PgError, Result, SqlState};

use super::context::ExprContext;
use super::from_clause::Item;
use super::namespace::{NamespaceColumn, NamespaceItem, check_name_conflicts, hide_columns, set_lateral};
use super::range_table::Alias;
use super::{Analyzer, error, name_list};
use crate::expr::{BoolOp, CoercionForm, Expr, ExprKind, ExprType};
use crate::parse::protobuf as pb;
use crate::query::{FromItem, JoinExpr, JoinKind, RangeTblEntry, RteColumn, RteKind};

/// The columns of a join under construction: name, expression over the sides, and how the namespace refers to it.
#[derive(Default)]
struct JoinColumns {
    columns: Vec<RteColumn>,
    expressions: Vec<Expr>,
    /// The column of a side that it plainly is; `None` when only the join itself has it.
    plain: Vec<Option<NamespaceColumn>>,
}

impl JoinColumns {
    fn push_plain(&mut self, column: &NamespaceColumn) {
        self.push(&column.name, column.reference(0, -1), Some(column.clone()));
    }

    fn push(&mut self, name: &str, expr: Expr, plain: Option<NamespaceColumn>) {
        self.columns.push(RteColumn { name: name.to_owned(), ty: expr.ty, attnum: 0 });
        self.expressions.push(expr);
        self.plain.push(plain);
    }
}

impl Analyzer<'_> {
    /// A JOIN of two items.
    pub(super) fn join(&mut self, join: &pb::JoinExpr) -> Result<Item> {
        let kind = join_kind(join)?;
        let hole = || PgError::internal("a join without its sides");
        let mut left = self.from_item(join.larg.as_deref().ok_or_else(hole)?)?;

        // The left side is visible to LATERAL items of the right one.
        let lateral_ok = matches!(kind, JoinKind::Inner | JoinKind::Left);
        set_lateral(&mut left.namespace, true, lateral_ok);
        let visible_before = self.level().namespace.len();
        self.level().namespace.extend(left.namespace.iter().cloned());
        let right = self.from_item(join.rarg.as_deref().ok_or_else(hole)?);
        self.level().namespace.truncate(visible_before);
        let right = right?;
        check_name_conflicts(&left.namespace, &right.namespace)?;

        let mut namespace = left.namespace;
        namespace.extend(right.namespace);
        set_lateral(&mut namespace, false, true);

        let using: Vec<String> = if join.is_natural {
            common_names(&left.own, &right.own)
        } else {
            name_list(&join.using_clause)?.into_iter().map(str::to_owned).collect()
        };
        let mut columns = JoinColumns::default();
        let on = if !using.is_empty() {
            Some(self.join_using(kind, &using, &left.own, &right.own, &mut columns)?)
        } else if let Some(quals) = join.quals.as_deref() {
            Some(self.join_on(quals, &namespace)?)
        } else {
            None
        };
        for column in left.own.columns.iter().chain(&right.own.columns) {
            if !using.contains(&column.name) {
                columns.push_plain(column);
            }
        }
        let item = self.add_join(join, columns, using.len(), &mut namespace)?;
        let (left, right) = (left.tree, right.tree);
        let tree = FromItem::Join(Box::new(JoinExpr { kind, left, right, on, rte: item.rte, using }));
        Ok(Item { tree, own: item, namespace })
    }

    /// The join's own range table entry and its names.
    fn add_join(
        &mut self,
        join: &pb::JoinExpr,
        mut columns: JoinColumns,
        merged: usize,
        namespace: &mut Vec<NamespaceItem>,
    ) -> Result<NamespaceItem> {
        let alias = Alias::of(join.alias.as_ref())?;
        if let Some(alias) = &alias {
            if alias.columns.len() > columns.columns.len() {
                return Err(error(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!(
                        "join expression \"{}\" has {} columns available but {} columns specified",
                        alias.name,
                        columns.columns.len(),
                        alias.columns.len()
                    ),
                ));
            }
            for (column, renamed) in columns.columns.iter_mut().zip(&alias.columns) {
                column.name = (*renamed).to_owned();
            }
        }
        let name = alias.as_ref().map_or("unnamed_join", |alias| alias.name).to_owned();
        let mut item = self.add_entry(RangeTblEntry {
            kind: RteKind::Join { join_columns: columns.expressions },
            alias: name,
            columns: columns.columns,
            lateral: false,
            view: Oid::NONE,
        });
        for (column, plain) in item.columns.iter_mut().zip(columns.plain) {
            if let Some(plain) = plain {
                (column.rte, column.column) = (plain.rte, plain.column);
            }
        }
        item.rel_visible = alias.is_some();
        if let Some(using_alias) = &join.join_using_alias {
            let mut merged_item = item.clone();
            merged_item.name.clone_from(&using_alias.aliasname);
            merged_item.columns.truncate(merged);
            (merged_item.rel_visible, merged_item.merged_only) = (true, true);
            check_name_conflicts(std::slice::from_ref(&merged_item), namespace)?;
            namespace.push(merged_item);
        }
        if alias.is_some() {
            namespace.clear();
        } else {
            hide_columns(namespace);
        }
        namespace.push(item.clone());
        Ok(item)
    }

    /// ON: it sees the two sides, and nothing else of this FROM.
    fn join_on(&mut self, quals: &pb::Node, namespace: &[NamespaceItem]) -> Result<Expr> {
        let saved = std::mem::replace(&mut self.level().namespace, namespace.to_vec());
        let on = self.where_clause(quals, ExprContext::JoinOn, "JOIN/ON");
        self.level().namespace = saved;
        on
    }

    /// USING: the equality of the pairs; the merged columns go first into `columns`.
    fn join_using(
        &mut self,
        kind: JoinKind,
        using: &[String],
        left: &NamespaceItem,
        right: &NamespaceItem,
        columns: &mut JoinColumns,
    ) -> Result<Expr> {
        let mut pairs = Vec::with_capacity(using.len());
        for (index, name) in using.iter().enumerate() {
            if using[..index].contains(name) {
                let message = format!("column name \"{name}\" appears more than once in USING clause");
                return Err(error(SqlState::DUPLICATE_COLUMN, message));
            }
            pairs.push((using_column(left, name, "left")?, using_column(right, name, "right")?));
        }
        let mut conditions = Vec::with_capacity(pairs.len());
        for (l, r) in &pairs {
            let equal = self.make_operator_by_name("=", l.reference(0, -1), r.reference(0, -1), -1)?;
            conditions.push(equal);
        }
        for (name, (l, r)) in using.iter().zip(&pairs) {
            let merged = self.merged_column(kind, l, r)?;
            let plain = match &merged.kind {
                ExprKind::Var(var) if (var.rte, var.column) == (l.rte, l.column) => Some((*l).clone()),
                ExprKind::Var(_) => Some((*r).clone()),
                _ => None,
            };
            columns.push(name, merged, plain);
        }
        let mut condition = match conditions.len() {
            1 => conditions.pop().expect("there is one"),
            _ => Expr {
                kind: ExprKind::Bool(BoolOp::And, conditions),
                ty: ExprType::new(helios_types::oid::BOOL),
                location: None,
            },
        };
        condition = self.coerce_to_boolean(condition, "JOIN/USING")?;
        Ok(condition)
    }

    /// The column that a USING pair becomes (`buildMergedJoinVar`).
    fn merged_column(&mut self, kind: JoinKind, left: &NamespaceColumn, right: &NamespaceColumn) -> Result<Expr> {
        let (l, r) = (left.reference(0, -1), right.reference(0, -1));
        let common = self.select_common_type(&[&l, &r], "JOIN/USING")?;
        let typmod = super::coerce::select_common_typmod(&[&l, &r], common);
        let mut coerce = |side: Expr| -> Result<Expr> {
            if side.ty.oid != common {
                return self.coerce_to_common_type(side, common, "JOIN/USING");
            }
            if side.ty.typmod != typmod {
                let ty = ExprType { typmod, ..side.ty };
                let location = side.location;
                return Ok(Expr { kind: ExprKind::Relabel(Box::new(side), CoercionForm::Implicit), ty, location });
            }
            Ok(side)
        };
        let (l, r) = (coerce(l)?, coerce(r)?);
        let is_var = |expr: &Expr| matches!(expr.kind, ExprKind::Var(_));
        let mut merged = match kind {
            JoinKind::Inner if is_var(&r) && !is_var(&l) => r,
            JoinKind::Inner | JoinKind::Left => l,
            JoinKind::Right => r,
            JoinKind::Full => {
                let ty = ExprType { oid: common, typmod, collation: Oid::NONE };
                Expr { kind: ExprKind::Coalesce(vec![l, r]), ty, location: None }
            }
            JoinKind::Semi | JoinKind::Anti => return Err(PgError::internal("a semijoin in a raw tree")),
        };
        self.assign_collations(&mut merged)?;
        Ok(merged)
    }
}

fn join_kind(join: &pb::JoinExpr) -> Result<JoinKind> {
    Ok(match join.jointype() {
        pb::JoinType::JoinInner => JoinKind::Inner,
        pb::JoinType::JoinLeft => JoinKind::Left,
        pb::JoinType::JoinRight => JoinKind::Right,
        pb::JoinType::JoinFull => JoinKind::Full,
        other => return Err(PgError::internal(format!("a join of kind {other:?}"))),
    })
}

/// The columns that NATURAL joins by, in the left side's order.
fn common_names(left: &NamespaceItem, right: &NamespaceItem) -> Vec<String> {
    let shared = left.columns.iter().filter(|l| right.columns.iter().any(|r| r.name == l.name));
    shared.map(|column| column.name.clone()).collect()
}

fn using_column<'n>(side: &'n NamespaceItem, name: &str, which: &str) -> Result<&'n NamespaceColumn> {
    let mut matching = side.columns.iter().filter(|column| column.name == name);
    let Some(column) = matching.next() else {
        let message = format!("column \"{name}\" specified in USING clause does not exist in {which} table");
        return Err(error(SqlState::UNDEFINED_COLUMN, message));
    };
    if matching.next().is_some() {
        let message = format!("common column name \"{name}\" appears more than once in {which} table");
        return Err(error(SqlState::AMBIGUOUS_COLUMN, message));
    }
    Ok(column)
}
