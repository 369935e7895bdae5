//! Function calls (`ParseFuncOrColumn`): which function a name means, and whether it may stand here.

use helios_catalog::facts::{self, Proc, ProcKind};
use helios_catalog::resolve::{
    ArgumentSource, CallArguments, CoercionContext, FunctionCall, FunctionDetail, FunctionName,
};
use helios_types::{Oid, PgError, Result, SqlState};

use super::context::{ExprContext, Refusal};
use super::location::{expr_location, expr_position};
use super::{Analyzer, at, error, inner, name_list, place, position};
use crate::expr::{CoercionForm, Expr, ExprKind, ExprType, FuncExpr};
use crate::parse::protobuf::{self as pb, node::Node};

/// Arguments that a call may have (`FUNC_MAX_ARGS`).
const ARGUMENTS_MAX: usize = 100;

/// An argument as written: `name => value`, or just the value.
struct Argument<'r> {
    name: Option<&'r str>,
    value: Expr,
    location: Option<usize>,
}

impl Analyzer<'_> {
    /// A call as written.
    pub(super) fn func_call(&mut self, call: &pb::FuncCall) -> Result<Expr> {
        let srf_calls = self.level().srf_calls;
        let mut args = Vec::with_capacity(call.args.len());
        for node in &call.args {
            args.push(match inner(node)? {
                Node::NamedArgExpr(named) => Argument {
                    name: Some(&named.name),
                    value: self.expr_of(named.arg.as_deref())?,
                    location: at(named.location),
                },
                other => {
                    let value = self.expr_node(other)?;
                    let location = expr_position(&value);
                    Argument { name: None, value, location }
                }
            });
        }
        if call.agg_within_group {
            // WITHIN GROUP's sort keys are arguments as far as finding the function goes.
            for node in &call.agg_order {
                let Node::SortBy(sort) = inner(node)? else {
                    return Err(PgError::internal("WITHIN GROUP without sort keys"));
                };
                let key = sort.node.as_deref().ok_or_else(|| PgError::internal("a sort key without a value"))?;
                let value = self.transform_expr(inner(key)?, ExprContext::OrderBy)?;
                let location = expr_position(&value);
                args.push(Argument { name: None, value, location });
            }
        }
        let filter = match call.agg_filter.as_deref() {
            None => None,
            Some(filter) => Some(self.where_clause(filter, ExprContext::Filter, "FILTER")?),
        };
        if args.len() > ARGUMENTS_MAX {
            let message = format!("cannot pass more than {ARGUMENTS_MAX} arguments to a function");
            return Err(error(SqlState::TOO_MANY_ARGUMENTS, message).at(at(call.location)));
        }
        let names = argument_names(&args)?;
        let values: Vec<Expr> = args.into_iter().map(|arg| arg.value).collect();
        self.call_function(call, values, &names, filter, srf_calls)
    }

    fn call_function(
        &mut self,
        call: &pb::FuncCall,
        args: Vec<Expr>,
        names: &[&str],
        filter: Option<Expr>,
        srf_calls: usize,
    ) -> Result<Expr> {
        let location = call.location;
        let path = name_list(&call.funcname)?;
        let name = self.function_name(&path, location)?;
        let types: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let arguments = CallArguments { types: &types, names, variadic: call.func_variadic };
        let detail = self.lookup().function_detail(name, arguments).map_err(|refusal| {
            // VARIADIC's complaint is about the argument, others about the call; polymorphism complains of no place.
            if refusal.message() == "VARIADIC argument must be an array" {
                refusal.at(args.last().and_then(expr_position))
            } else if refusal.code() == SqlState::DATATYPE_MISMATCH {
                refusal
            } else {
                refusal.at(at(location))
            }
        })?;
        let found = match detail {
            FunctionDetail::Call(found) => found,
            FunctionDetail::Coercion(target) => {
                refuse_decoration(call, &path.join("."))?;
                let arg = args.into_iter().next().ok_or_else(|| PgError::internal("a cast of nothing"))?;
                let explicit = CoercionContext::Explicit;
                return self.coerce_type(arg, target, -1, explicit, CoercionForm::Call, place(location));
            }
            FunctionDetail::Ambiguous => {
                return Err(self.lookup().function_ambiguous(name, arguments).at(at(location)));
            }
            FunctionDetail::NotFound => {
                if let Some(field) = self.call_as_field(call, &args, names)? {
                    return Ok(field);
                }
                let missing = self.lookup().function_not_found(name, arguments).at(at(location));
                return Err(if call.agg_order.len() > 1 && !call.agg_within_group {
                    missing_aggregate(&missing).at(at(location))
                } else {
                    missing
                });
            }
        };
        let shown = path.join(".");
        match found.proc.kind {
            ProcKind::Procedure => {
                let signature = self.lookup().function_signature(name, arguments);
                return Err(error(SqlState::WRONG_OBJECT_TYPE, format!("{signature} is a procedure"))
                    .with_hint("To call a procedure, use CALL.")
                    .at(at(location)));
            }
            ProcKind::Function => refuse_decoration(call, &shown)?,
            ProcKind::Aggregate | ProcKind::Window => {}
        }
        let proc = found.proc;
        let result = found.result;
        if let (ProcKind::Aggregate, true) = (proc.kind, call.over.is_none()) {
            self.check_aggregate_call(call, proc, &shown, args.len(), || {
                self.lookup().function_signature(name, arguments)
            })?;
        } else if proc.kind == ProcKind::Aggregate {
            self.check_aggregate_call(call, proc, &shown, args.len(), String::new)?;
        }
        if proc.kind == ProcKind::Window {
            let refuse = |message: String| error(SqlState::WRONG_OBJECT_TYPE, message).at(at(location));
            if call.over.is_none() {
                return Err(refuse(format!("window function {shown} requires an OVER clause")));
            }
            if call.agg_within_group {
                return Err(refuse(format!("window function {shown} cannot have WITHIN GROUP")));
            }
        }
        let variadic = found.gathered.is_some() || (call.func_variadic && !proc.variadic.is_none());
        let args = self.place_arguments(found, args)?;
        self.dependencies.insert(proc.oid);
        match (proc.kind, call.over.as_deref()) {
            (ProcKind::Function | ProcKind::Procedure, _) => {
                if proc.returns_set {
                    self.check_srf_place(srf_calls, location)?;
                }
                let form = match call.funcformat() {
                    pb::CoercionForm::CoerceSqlSyntax => CoercionForm::SqlSyntax,
                    _ => CoercionForm::Call,
                };
                let func = FuncExpr {
                    function: proc.oid,
                    operator: Oid::NONE,
                    args,
                    input_collation: Oid::NONE,
                    variadic,
                    form,
                };
                let expr = Expr { kind: ExprKind::Func(func), ty: ExprType::new(result), location: place(location) };
                self.mark_if_srf(expr, srf_calls)
            }
            (_, None) => {
                if args.is_empty() && !call.agg_star && !call.agg_within_group {
                    return Err(parameterless(&shown, location));
                }
                if !names.is_empty() {
                    let message = "aggregates cannot use named arguments";
                    return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location)));
                }
                self.aggregate_call(call, proc, args, filter, result)
            }
            (kind, Some(over)) => {
                let refuse =
                    |message: &'static str| PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location));
                if call.agg_distinct {
                    return Err(refuse("DISTINCT is not implemented for window functions"));
                }
                if kind == ProcKind::Aggregate && args.is_empty() && !call.agg_star {
                    return Err(parameterless(&shown, location));
                }
                if !call.agg_order.is_empty() {
                    return Err(refuse("aggregate ORDER BY is not implemented for window functions"));
                }
                if kind != ProcKind::Aggregate && filter.is_some() {
                    return Err(refuse("FILTER is not implemented for non-aggregate window functions"));
                }
                if self.level().srf_calls != srf_calls {
                    let message = "window function calls cannot contain set-returning function calls";
                    return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                        .with_hint(super::expression::SRF_HINT)
                        .at(position(self.current().last_srf)));
                }
                self.window_call(call, over, proc, args, filter, result)
            }
        }
    }

    /// The parts of a function's name.
    fn function_name<'n>(&self, path: &[&'n str], location: i32) -> Result<FunctionName<'n>> {
        match path {
            [name] => Ok(FunctionName { schema: None, name }),
            [schema, name] => Ok(FunctionName { schema: Some(schema), name }),
            [catalog, schema, name] if *catalog == &*self.session.database => {
                Ok(FunctionName { schema: Some(schema), name })
            }
            [_, _, _] => {
                let message = format!("cross-database references are not implemented: {}", path.join("."));
                Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location)))
            }
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", path.join("."));
                Err(error(SqlState::SYNTAX_ERROR, message).at(at(location)))
            }
        }
    }

    /// `a(t)` for `t.a`.
    fn call_as_field(&mut self, call: &pb::FuncCall, args: &[Expr], names: &[&str]) -> Result<Option<Expr>> {
        let plain = call.agg_order.is_empty()
            && call.agg_filter.is_none()
            && !call.agg_star
            && !call.agg_distinct
            && call.over.is_none()
            && !call.func_variadic
            && names.is_empty();
        match (args, call.funcname.as_slice()) {
            ([value], [name]) if plain && self.is_row_type(value.ty.oid) => {
                let value = value.clone();
                self.project_field(&value, super::string_of(name)?)
            }
            _ => Ok(None),
        }
    }

    /// The arguments in the order of parameters, coerced, defaults filled in, VARIADIC ones gathered.
    fn place_arguments(&mut self, found: FunctionCall, args: Vec<Expr>) -> Result<Vec<Expr>> {
        let mut given: Vec<Option<Expr>> = args.into_iter().map(Some).collect();
        let mut placed = Vec::with_capacity(found.arguments.len());
        for argument in &found.arguments {
            let value = match argument.source {
                ArgumentSource::Given(index) => {
                    given[index].take().ok_or_else(|| PgError::internal("an argument that is passed twice"))?
                }
                ArgumentSource::Default(text) => self.default_argument(text)?,
            };
            placed.push(if value.ty.oid == argument.type_oid {
                value
            } else {
                let implicit = (CoercionContext::Implicit, CoercionForm::Implicit);
                self.coerce_type(value, argument.type_oid, -1, implicit.0, implicit.1, None)?
            });
        }
        if let Some((count, array)) = found.gathered {
            let elements = placed.split_off(placed.len() - count);
            let location = elements.first().and_then(expr_location);
            let element = self.element_type(array).unwrap_or(Oid::NONE);
            let typmod = super::coerce::select_common_typmod(&elements.iter().collect::<Vec<_>>(), element);
            placed.push(Expr {
                kind: ExprKind::Array { elements, multidimensional: false },
                ty: ExprType { oid: array, typmod, collation: Oid::NONE },
                location,
            });
        }
        Ok(placed)
    }

    /// A parameter's default, which stands in the catalog as SQL text.
    fn default_argument(&mut self, text: &str) -> Result<Expr> {
        let parsed = crate::parse::parse(&format!("SELECT {text}"))?;
        let target = match parsed.first().map(|statement| statement.node()) {
            Some(Node::SelectStmt(select)) => select.target_list.first().and_then(|node| node.node.clone()),
            _ => None,
        };
        let Some(Node::ResTarget(target)) = target else {
            return Err(PgError::internal(format!("the default {text}")));
        };
        let mut value = self.expr_of(target.val.as_deref())?;
        super::walk::for_each_expr_mut(&mut value, &mut |part| part.location = None);
        Ok(value)
    }

    /// Whether a set-returning call may stand here (`check_srf_call_placement`).
    fn check_srf_place(&mut self, srf_calls: usize, location: i32) -> Result<()> {
        let context = self.current().context;
        match context.srf_refusal() {
            Refusal::Message(message) => Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location))),
            Refusal::Clause => {
                let message = format!("set-returning functions are not allowed in {}", context.name());
                Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location)))
            }
            Refusal::Allowed if context == ExprContext::FromFunction => {
                if self.level().srf_calls != srf_calls {
                    let message = "set-returning functions must appear at top level of FROM";
                    return Err(
                        PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position(self.current().last_srf))
                    );
                }
                Ok(())
            }
            Refusal::Allowed => {
                self.level().has_target_srfs = true;
                Ok(())
            }
        }
    }

    /// Makes a call of a set-returning function such a node, and remembers it.
    pub(super) fn mark_if_srf(&mut self, mut expr: Expr, srf_calls: usize) -> Result<Expr> {
        let returns_set = match &expr.kind {
            ExprKind::Func(call) => self.returns_set(call.function),
            _ => false,
        };
        if !returns_set {
            return Ok(expr);
        }
        if let ExprKind::Func(call) = &expr.kind
            && !call.operator.is_none()
        {
            let raw = expr.location.and_then(|offset| i32::try_from(offset).ok()).unwrap_or(-1);
            self.check_srf_place(srf_calls, raw)?;
        }
        expr.kind = match expr.kind {
            ExprKind::Func(call) => ExprKind::SetReturning(call),
            other => other,
        };
        let location = expr_location(&expr);
        let level = self.level();
        level.srf_calls += 1;
        level.last_srf = location;
        Ok(expr)
    }

    /// What an aggregate's call may not look like.
    fn check_aggregate_call(
        &self,
        call: &pb::FuncCall,
        proc: &Proc,
        shown: &str,
        given: usize,
        signature: impl FnOnce() -> String,
    ) -> Result<()> {
        let location = at(call.location);
        let refuse = |message: String| Err(error(SqlState::WRONG_OBJECT_TYPE, message).at(location));
        let row = facts::aggregates().by_oid(proc.oid).ok_or_else(|| PgError::internal("an unknown aggregate"))?;
        if row.kind == b'n' {
            return if call.agg_within_group {
                refuse(format!("{shown} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"))
            } else {
                Ok(())
            };
        }
        if !call.agg_within_group {
            return refuse(format!("WITHIN GROUP is required for ordered-set aggregate {shown}"));
        }
        if call.over.is_some() {
            let message = format!("OVER is not supported for ordered-set aggregate {shown}");
            return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(location));
        }
        if row.kind == b'h' {
            return Err(PgError::unsupported(format!("hypothetical-set aggregate {shown}")).at(location));
        }
        let direct = given - call.agg_order.len();
        let wanted = usize::from(row.direct_arg_count);
        if proc.variadic.is_none() && direct != wanted {
            let plural = if wanted == 1 { "" } else { "s" };
            return Err(error(SqlState::UNDEFINED_FUNCTION, format!("function {} does not exist", signature()))
                .with_hint(format!(
                    "There is an ordered-set aggregate {shown}, but it requires {wanted} direct argument{plural}, not {direct}."
                ))
                .at(location));
        }
        Ok(())
    }
}

/// The names of the named arguments, which must come last.
fn argument_names<'r>(args: &[Argument<'r>]) -> Result<Vec<&'r str>> {
    let mut names = Vec::new();
    for arg in args {
        match arg.name {
            Some(name) if names.contains(&name) => {
                let message = format!("argument name \"{name}\" used more than once");
                return Err(error(SqlState::SYNTAX_ERROR, message).at(arg.location));
            }
            Some(name) => names.push(name),
            None if !names.is_empty() => {
                let message = "positional argument cannot follow named argument";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(arg.location));
            }
            None => {}
        }
    }
    Ok(names)
}

/// 42809 for a plain function with an aggregate's or window function's trimmings.
fn refuse_decoration(call: &pb::FuncCall, shown: &str) -> Result<()> {
    let what = if call.agg_star {
        format!("{shown}(*) specified, but {shown} is not an aggregate function")
    } else if call.agg_distinct {
        format!("DISTINCT specified, but {shown} is not an aggregate function")
    } else if call.agg_within_group {
        format!("WITHIN GROUP specified, but {shown} is not an aggregate function")
    } else if !call.agg_order.is_empty() {
        format!("ORDER BY specified, but {shown} is not an aggregate function")
    } else if call.agg_filter.is_some() {
        format!("FILTER specified, but {shown} is not an aggregate function")
    } else if call.over.is_some() {
        format!("OVER specified, but {shown} is not a window function nor an aggregate function")
    } else {
        return Ok(());
    };
    Err(error(SqlState::WRONG_OBJECT_TYPE, what).at(at(call.location)))
}

fn parameterless(shown: &str, location: i32) -> PgError {
    let message = format!("{shown}(*) must be used to call a parameterless aggregate function");
    error(SqlState::WRONG_OBJECT_TYPE, message).at(at(location))
}

/// The hint for `agg(x ORDER BY y, z)` that was meant to have one argument more.
fn missing_aggregate(missing: &PgError) -> PgError {
    error(SqlState::UNDEFINED_FUNCTION, missing.message().to_owned()).with_hint(
        "No aggregate function matches the given name and argument types. Perhaps you misplaced ORDER BY; ORDER BY must appear after all regular arguments of the aggregate.",
    )
}
