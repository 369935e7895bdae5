//! From expressions to programs.
//!
//! The input of a program is a batch whose columns are known as expressions (a *layout*). Whatever part of the
//! expression equals a column of the layout is that column, be it a Var of a scan, a grouped expression or an
//! aggregate that was computed below. PostgreSQL's `set_plan_refs` does the same.

use std::sync::Arc;

use helios_catalog::facts;
use helios_types::{Oid, PgError, Physical, Result, oid};

use super::call::Call;
use super::operation::Operation;
use super::program::{Apply, Hoisted, Node, Program, Suspend, SuspendKind};
use crate::expr::{BoolOp, Expr, ExprKind, ExprType, FuncExpr, SubLinkKind, SubPlan};
use crate::functions::{self, CallCache, Implementation, Suspending};
use crate::plan::catalog;

/// Compiles an expression over a layout.
pub fn compile(expr: &Expr, layout: &[Expr]) -> Result<Arc<Program>> {
    let mut compiler = Compiler { layout, case_depth: 0, hoisted: Vec::new(), subplans: 0 };
    let root = compiler.node(expr, true)?;
    Ok(Arc::new(Program {
        suspending: root.suspends(),
        root,
        ty: expr.ty,
        hoisted: compiler.hoisted,
        subplans: compiler.subplans,
    }))
}

/// The state of a compilation.
struct Compiler<'a> {
    layout: &'a [Expr],
    /// Number of enclosing CASEs with a tested value.
    case_depth: usize,
    hoisted: Vec<Hoisted>,
    subplans: usize,
}

impl Compiler<'_> {
    /// Compiles a node. `eager`: it is evaluated for every row, whatever the row is.
    fn node(&mut self, expr: &Expr, eager: bool) -> Result<Node> {
        if stacker::remaining_stack().is_some_and(|left| left < 128 * 1024) {
            return stacker::grow(4 * 1024 * 1024, || self.node_on_this_stack(expr, eager));
        }
        self.node_on_this_stack(expr, eager)
    }

    fn node_on_this_stack(&mut self, expr: &Expr, eager: bool) -> Result<Node> {
        let oid = expr.ty.oid;
        if !matches!(expr.kind, ExprKind::Const(_) | ExprKind::Param(_) | ExprKind::ExecParam(_))
            && let Some(index) = self.layout.iter().position(|column| column == expr)
        {
            return Ok(Node::Input(index, oid));
        }
        let apply = |operation, args| Ok(Node::Apply(Box::new(Apply { operation, args, oid })));
        match &expr.kind {
            ExprKind::Const(value) => Ok(Node::Const(value.clone(), oid)),
            ExprKind::Param(index) => Ok(Node::Param(*index, oid)),
            ExprKind::ExecParam(index) => Ok(Node::ExecParam(*index, oid)),
            ExprKind::Func(call) => self.call(call, expr.ty, eager),
            ExprKind::DistinctFrom { func, negated } => {
                let args = self.nodes(&func.args, eager)?;
                apply(Operation::DistinctFrom { equal: pure_call(func, BOOLEAN)?, negated: *negated }, args)
            }
            ExprKind::NullIf(func) => {
                let args = self.nodes(&func.args, eager)?;
                apply(Operation::NullIf(pure_call(func, BOOLEAN)?), args)
            }
            ExprKind::ScalarArrayOp { func, any } => {
                let args = self.nodes(&func.args, eager)?;
                let mut compare = pure_call(func, BOOLEAN)?;
                if let Some(element) = compare.arg_types.get_mut(1) {
                    *element = catalog::array_element(*element).unwrap_or(*element);
                }
                apply(Operation::ScalarArray { compare, any: *any }, args)
            }
            ExprKind::Bool(BoolOp::Not, args) => {
                let args = self.nodes(args, eager)?;
                apply(Operation::Not, args)
            }
            ExprKind::Bool(BoolOp::And, args) => Ok(Node::And(self.lazy_nodes(args, eager)?)),
            ExprKind::Bool(BoolOp::Or, args) => Ok(Node::Or(self.lazy_nodes(args, eager)?)),
            ExprKind::Coalesce(args) => Ok(Node::Coalesce(self.lazy_nodes(args, eager)?, oid)),
            ExprKind::Case { arg, whens, default } => self.case(arg.as_deref(), whens, default, oid, eager),
            ExprKind::CaseTestExpr => {
                let depth = self.case_depth.checked_sub(1);
                Ok(Node::CaseTest(depth.ok_or_else(|| PgError::internal("CASE value outside of CASE"))?, oid))
            }
            ExprKind::MinMax { greatest, args } => {
                let args = self.nodes(args, eager)?;
                apply(Operation::MinMax { greatest: *greatest, ty: expr.ty }, args)
            }
            ExprKind::NullTest { arg, negated, row } => {
                let args = vec![self.node(arg, eager)?];
                apply(Operation::NullTest { negated: *negated, row: *row }, args)
            }
            ExprKind::BooleanTest(arg, test) => {
                let args = vec![self.node(arg, eager)?];
                apply(Operation::BooleanTest(*test), args)
            }
            ExprKind::Relabel(arg, _) | ExprKind::Collate(arg) => {
                let node = self.node(arg, eager)?;
                if Physical::of(node.oid()) == Physical::of(oid) {
                    return Ok(node);
                }
                apply(Operation::Relabel(Physical::of(oid)), vec![node])
            }
            ExprKind::CoerceViaIo(arg, _) => {
                let node = self.node(arg, eager)?;
                self.coerce_via_io(node, arg.ty.oid, expr.ty)
            }
            ExprKind::ArrayCoerce { arg, element } => {
                let arg = Box::new(self.node(arg, eager)?);
                let depth = self.case_depth;
                self.case_depth += 1;
                let element = self.node(element, false);
                self.case_depth -= 1;
                let element_type = catalog::array_element(oid).unwrap_or(Oid::NONE);
                Ok(Node::ArrayCoerce { arg, element: Box::new(element?), depth, element_type, oid })
            }
            ExprKind::ApplyTypmod { arg, explicit } => {
                let args = vec![self.node(arg, eager)?];
                apply(Operation::ApplyTypmod { ty: expr.ty, explicit: *explicit }, args)
            }
            ExprKind::Array { elements, multidimensional } => {
                let args = self.nodes(elements, eager)?;
                let element = catalog::array_element(oid).or_else(|| elements.first().map(|element| element.ty.oid));
                let element = element.unwrap_or(Oid::NONE);
                apply(Operation::Array { element, multidimensional: *multidimensional }, args)
            }
            ExprKind::Subscript { arg, indexes, slice } => {
                let (args, bounds) = self.subscripts(arg, indexes, eager)?;
                apply(Operation::Subscript { slice: *slice, bounds }, args)
            }
            ExprKind::SubscriptAssign { arg, indexes, slice, value } => {
                let (mut args, bounds) = self.subscripts(arg, indexes, eager)?;
                args.push(self.node(value, eager)?);
                let element = catalog::array_element(oid).unwrap_or(Oid::NONE);
                apply(Operation::SubscriptAssign { slice: *slice, bounds, element }, args)
            }
            ExprKind::Row(fields) => {
                let args = self.nodes(fields, eager)?;
                apply(Operation::Row { types: fields.iter().map(|field| field.ty.oid).collect() }, args)
            }
            ExprKind::Field(arg, index) => {
                let args = vec![self.node(arg, eager)?];
                apply(Operation::Field(*index), args)
            }
            ExprKind::RowCompare { op, columns } => {
                let mut args = Vec::with_capacity(columns.len() * 2);
                for side in 0..2 {
                    for column in columns {
                        args.push(self.node(&column.args[side], eager)?);
                    }
                }
                let types = columns
                    .iter()
                    .map(|column| ExprType { collation: column.input_collation, ..column.args[0].ty })
                    .collect();
                apply(Operation::RowCompare { op: *op, columns: types }, args)
            }
            ExprKind::SqlValue(value) => apply(Operation::SqlValue(*value, expr.ty), Vec::new()),
            ExprKind::NextValue(sequence) => Ok(Node::Suspend(Box::new(Suspend {
                kind: SuspendKind::NextValue(*sequence),
                args: Vec::new(),
                ty: expr.ty,
            }))),
            ExprKind::SubPlan(subplan) => self.subplan(subplan, expr.ty, eager),
            ExprKind::Var(var) => Err(PgError::internal(format_args!("{var:?} is not computed below"))),
            ExprKind::SetReturning(_) => Err(PgError::unsupported("a set-returning function in this place")),
            ExprKind::Aggregate(_) | ExprKind::Window(_) | ExprKind::Grouping(_) => {
                Err(PgError::internal("an aggregate or window function is not computed below"))
            }
            ExprKind::SubLink(_) => Err(PgError::internal("a subquery was not planned")),
            ExprKind::SetToDefault => Err(PgError::internal("DEFAULT was not replaced")),
        }
    }

    fn nodes(&mut self, exprs: &[Expr], eager: bool) -> Result<Vec<Node>> {
        exprs.iter().map(|expr| self.node(expr, eager)).collect()
    }

    /// Arguments of which only the first is certainly evaluated.
    fn lazy_nodes(&mut self, exprs: &[Expr], eager: bool) -> Result<Vec<Node>> {
        exprs.iter().enumerate().map(|(index, expr)| self.node(expr, eager && index == 0)).collect()
    }

    fn case(
        &mut self,
        test: Option<&Expr>,
        whens: &[(Expr, Expr)],
        default: &Expr,
        oid: Oid,
        eager: bool,
    ) -> Result<Node> {
        let test = match test {
            None => None,
            Some(test) => {
                let node = Box::new(self.node(test, eager)?);
                self.case_depth += 1;
                Some((node, self.case_depth - 1))
            }
        };
        let mut compiled = Vec::with_capacity(whens.len());
        for (index, (when, then)) in whens.iter().enumerate() {
            compiled.push((self.node(when, eager && index == 0)?, self.node(then, false)?));
        }
        let default = Box::new(self.node(default, false)?);
        if test.is_some() {
            self.case_depth -= 1;
        }
        Ok(Node::Case { test, whens: compiled, default, oid })
    }

    /// The array, then the bounds that are given; and which are given.
    #[allow(clippy::type_complexity)]
    fn subscripts(
        &mut self,
        arg: &Expr,
        indexes: &[(Option<Expr>, Option<Expr>)],
        eager: bool,
    ) -> Result<(Vec<Node>, Box<[(bool, bool)]>)> {
        let mut args = vec![self.node(arg, eager)?];
        for bound in indexes.iter().flat_map(|(lower, upper)| [lower, upper]).flatten() {
            args.push(self.node(bound, eager)?);
        }
        Ok((args, indexes.iter().map(|(lower, upper)| (lower.is_some(), upper.is_some())).collect()))
    }

    fn call(&mut self, call: &FuncExpr, ty: ExprType, eager: bool) -> Result<Node> {
        let args = self.nodes(&call.args, eager)?;
        let proc = catalog::proc(call.function)?;
        if let Some(Implementation::Suspending(function)) = functions::bind(proc.oid, proc.source) {
            let kind = SuspendKind::Function { function, strict: proc.strict };
            return Ok(Node::Suspend(Box::new(Suspend { kind, args, ty })));
        }
        let operation = Operation::Call(pure_call(call, ty)?);
        Ok(Node::Apply(Box::new(Apply { operation, args, oid: ty.oid })))
    }

    fn coerce_via_io(&mut self, arg: Node, from: Oid, to: ExprType) -> Result<Node> {
        // Names of objects are the catalog's business.
        let function = match (named_object_output(from), named_object_input(to.oid)) {
            (Some(output), _) => output,
            (None, Some(input)) => input,
            (None, None) => {
                let operation = Operation::CoerceViaIo { from, to };
                return Ok(Node::Apply(Box::new(Apply { operation, args: vec![arg], oid: to.oid })));
            }
        };
        let kind = SuspendKind::Function { function: Suspending::Catalog(function), strict: true };
        Ok(Node::Suspend(Box::new(Suspend { kind, args: vec![arg], ty: to })))
    }

    fn subplan(&mut self, subplan: &SubPlan, ty: ExprType, eager: bool) -> Result<Node> {
        let once = eager && subplan.params.is_empty();
        let hoisted = |this: &mut Self, types| {
            this.hoisted.push(Hoisted { plan: subplan.index, kind: subplan.kind.clone(), types });
            this.hoisted.len() - 1
        };
        match subplan.kind {
            SubLinkKind::Any if once && subplan.hashed => {
                let left = self.nodes(&subplan.left, eager)?;
                let index = hoisted(self, subplan.types.clone());
                return Ok(Node::HashedAny { index, left });
            }
            SubLinkKind::Scalar | SubLinkKind::Exists | SubLinkKind::Array if once => {
                return Ok(Node::Hoisted(hoisted(self, vec![ty]), ty.oid));
            }
            _ => {}
        }
        let mut args = Vec::new();
        for (_, value) in &subplan.params {
            args.push(self.node(value, eager)?);
        }
        if subplan.hashed {
            for left in &subplan.left {
                args.push(self.node(left, eager)?);
            }
        }
        let test = match &subplan.test {
            Some(test) if !subplan.hashed => Some(Box::new(self.node(test, false)?)),
            _ => None,
        };
        let kind = SuspendKind::SubPlan {
            state: self.subplans,
            plan: subplan.index,
            kind: subplan.kind.clone(),
            params: subplan.params.iter().map(|(param, _)| *param).collect(),
            columns: subplan.columns.clone(),
            test,
            hashed: subplan.hashed.then(|| subplan.types.clone()),
        };
        self.subplans += 1;
        Ok(Node::Suspend(Box::new(Suspend { kind, args, ty })))
    }
}

const BOOLEAN: ExprType = ExprType::new(oid::BOOL);

/// A call of a function that must not wait.
fn pure_call(call: &FuncExpr, result: ExprType) -> Result<Call> {
    let proc = catalog::proc(call.function)?;
    let implementation = match functions::bind(proc.oid, proc.source) {
        Some(implementation @ (Implementation::Scalar(_) | Implementation::Kernel(..))) => implementation,
        Some(Implementation::Suspending(_)) => {
            return Err(PgError::unsupported(format_args!("{} in this place", catalog::signature(proc))));
        }
        Some(Implementation::Set(_)) | None => {
            return Err(PgError::unsupported(format_args!("function {}", catalog::signature(proc))));
        }
    };
    Ok(Call {
        name: proc.name.into(),
        implementation,
        strict: proc.strict,
        infallible: matches!(implementation, Implementation::Kernel(..)) && catalog::is_comparison(call.function),
        arg_types: call.args.iter().map(|arg| arg.ty.oid).collect(),
        result,
        collation: call.input_collation,
        variadic: call.variadic,
        cache: CallCache::default(),
    })
}

/// The output function of a type whose values are names of objects.
fn named_object_output(oid: Oid) -> Option<&'static str> {
    let found = facts::types().by_oid(oid).filter(|_| is_named_object(oid))?;
    facts::procs().by_oid(found.output).map(|proc| proc.source)
}

/// The input function of a type whose values are names of objects.
fn named_object_input(oid: Oid) -> Option<&'static str> {
    let found = facts::types().by_oid(oid).filter(|_| is_named_object(oid))?;
    facts::procs().by_oid(found.input).map(|proc| proc.source)
}

fn is_named_object(type_oid: Oid) -> bool {
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
