//! Window function calls, and the windows they look through.

use helios_catalog::facts::{self, Proc};
use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::clause::Rules;
use super::coerce::CoercionContext;
use super::context::{ExprContext, Refusal};
use super::walk::{find, own_expressions_mut};
use super::{Analyzer, at, error, inner, place, position};
use crate::expr::{Expr, ExprKind, ExprType, SortOrder, WindowCall};
use crate::parse::protobuf as pb;
use crate::query::{FrameBound, FrameExclude, FrameMode, Query, TargetEntry, WindowClause, WindowFrame};

/// Bits of `frameOptions` (`parsenodes.h`).
mod frame {
    pub(super) const NONDEFAULT: i32 = 0x00001;
    pub(super) const RANGE: i32 = 0x00002;
    pub(super) const ROWS: i32 = 0x00004;
    pub(super) const GROUPS: i32 = 0x00008;
    pub(super) const BETWEEN: i32 = 0x00010;
    pub(super) const START_UNBOUNDED_PRECEDING: i32 = 0x00020;
    pub(super) const END_UNBOUNDED_FOLLOWING: i32 = 0x00100;
    pub(super) const START_CURRENT_ROW: i32 = 0x00200;
    pub(super) const END_CURRENT_ROW: i32 = 0x00400;
    pub(super) const START_OFFSET_PRECEDING: i32 = 0x00800;
    pub(super) const END_OFFSET_PRECEDING: i32 = 0x01000;
    pub(super) const START_OFFSET_FOLLOWING: i32 = 0x02000;
    pub(super) const END_OFFSET_FOLLOWING: i32 = 0x04000;
    pub(super) const EXCLUDE_CURRENT_ROW: i32 = 0x08000;
    pub(super) const EXCLUDE_GROUP: i32 = 0x10000;
    pub(super) const EXCLUDE_TIES: i32 = 0x20000;
    pub(super) const START_OFFSET: i32 = START_OFFSET_PRECEDING | START_OFFSET_FOLLOWING;
    pub(super) const END_OFFSET: i32 = END_OFFSET_PRECEDING | END_OFFSET_FOLLOWING;
    pub(super) const DEFAULTS: i32 = RANGE | START_UNBOUNDED_PRECEDING | END_CURRENT_ROW;
    pub(super) const KNOWN: i32 = (EXCLUDE_TIES << 1) - 1;
}

/// `btree` support function number of `in_range`.
const IN_RANGE: i16 = 3;

impl Analyzer<'_> {
    /// `f(...) OVER (...)` (`transformWindowFuncCall`).
    pub(super) fn window_call(
        &mut self,
        call: &pb::FuncCall,
        over: &pb::WindowDef,
        proc: &Proc,
        args: Vec<Expr>,
        filter: Option<Expr>,
        result: Oid,
    ) -> Result<Expr> {
        let nested = args.iter().find_map(|arg| find(arg, &|part| matches!(part.kind, ExprKind::Window(_))));
        if let Some(nested) = nested {
            let message = "window function calls cannot be nested";
            return Err(PgError::new(SqlState::WINDOWING_ERROR, message).at(position(nested.location)));
        }
        let context = self.current().context;
        let refusal = match context.window_refusal() {
            Refusal::Allowed => None,
            Refusal::Message(message) => Some(message.to_owned()),
            Refusal::Clause => Some(format!("window functions are not allowed in {}", context.name())),
        };
        if let Some(message) = refusal {
            return Err(error(SqlState::WINDOWING_ERROR, message).at(at(call.location)));
        }
        let definitions = &mut self.level().window_defs;
        let window = if over.name.is_empty() {
            definitions.push(over.clone());
            definitions.len() - 1
        } else {
            definitions.iter().position(|definition| definition.name == over.name).ok_or_else(|| {
                let message = format!("window \"{}\" does not exist", over.name);
                error(SqlState::UNDEFINED_OBJECT, message).at(at(over.location))
            })?
        };
        self.level().has_window_functions = true;
        let call_node =
            WindowCall { function: proc.oid, args, star: call.agg_star, filter, window, input_collation: Oid::NONE };
        let kind = ExprKind::Window(Box::new(call_node));
        Ok(Expr { kind, ty: ExprType::new(result), location: place(call.location) })
    }

    /// The windows of a query, after all calls were seen (`transformWindowDefinitions`).
    pub(super) fn window_clause(&mut self, query: &mut Query) -> Result<()> {
        let definitions = std::mem::take(&mut self.level().window_defs);
        if definitions.is_empty() {
            return Ok(());
        }
        let mut windows: Vec<(WindowClause, i32)> = Vec::with_capacity(definitions.len());
        // Keys are found in the target list like ORDER BY's, but windows keep their own copies: nothing is added to it.
        let mut list = query.target_list.clone();
        for definition in &definitions {
            let window = self.window_definition(definition, &windows, &mut list)?;
            windows.push((window, definition.frame_options));
        }
        query.windows = windows.into_iter().map(|(window, _)| window).collect();
        merge_equal_windows(query);
        Ok(())
    }

    fn window_definition(
        &mut self,
        definition: &pb::WindowDef,
        earlier: &[(WindowClause, i32)],
        list: &mut Vec<TargetEntry>,
    ) -> Result<WindowClause> {
        let location = at(definition.location);
        let windowing = |message: String| error(SqlState::WINDOWING_ERROR, message).at(location);
        let by_name = |name: &str| earlier.iter().find(|(window, _)| window.name.as_deref() == Some(name));
        if !definition.name.is_empty() && by_name(&definition.name).is_some() {
            return Err(windowing(format!("window \"{}\" is already defined", definition.name)));
        }
        let base = match definition.refname.as_str() {
            "" => None,
            name => Some(by_name(name).cloned().ok_or_else(|| {
                error(SqlState::UNDEFINED_OBJECT, format!("window \"{name}\" does not exist")).at(location)
            })?),
        };
        let sort = self.sort_clause(&definition.order_clause, list, ExprContext::WindowOrder, Rules::Sql99)?;
        let mut order_by: Vec<(Expr, SortOrder)> = Vec::with_capacity(sort.len());
        for item in &sort {
            if !item.operator.is_none() {
                return Err(PgError::unsupported("ORDER BY USING in a window").at(location));
            }
            order_by.push((list[item.target].expr.clone(), item.order));
        }
        let mut partition_by: Vec<Expr> = Vec::with_capacity(definition.partition_clause.len());
        for node in &definition.partition_clause {
            let node = inner(node)?;
            let target = self.find_target(node, list, ExprContext::WindowPartition, Rules::Sql99)?;
            self.group_item(list, target, super::clause::raw_place(node))?;
            if !partition_by.contains(&list[target].expr) {
                partition_by.push(list[target].expr.clone());
            }
        }
        let options = definition.frame_options;
        if let Some((base, base_options)) = base {
            let name = &definition.refname;
            if !partition_by.is_empty() {
                return Err(windowing(format!("cannot override PARTITION BY clause of window \"{name}\"")));
            }
            if !order_by.is_empty() && !base.order_by.is_empty() {
                return Err(windowing(format!("cannot override ORDER BY clause of window \"{name}\"")));
            }
            if base_options != frame::DEFAULTS {
                let refusal = windowing(format!("cannot copy window \"{name}\" because it has a frame clause"));
                let plain_copy = definition.name.is_empty() && order_by.is_empty() && options == frame::DEFAULTS;
                return Err(if plain_copy {
                    refusal.with_hint("Omit the parentheses in this OVER clause.")
                } else {
                    refusal
                });
            }
            partition_by = base.partition_by;
            if order_by.is_empty() {
                order_by = base.order_by;
            }
        }
        let frame = self.window_frame(definition, &order_by)?;
        let name = (!definition.name.is_empty()).then(|| definition.name.clone());
        Ok(WindowClause { name, partition_by, order_by, frame })
    }

    fn window_frame(&mut self, definition: &pb::WindowDef, order_by: &[(Expr, SortOrder)]) -> Result<WindowFrame> {
        let options = definition.frame_options;
        let location = at(definition.location);
        if options & !frame::KNOWN != 0 {
            return Err(PgError::internal(format!("unknown frame options {options:#x}")));
        }
        let mode = if options & frame::ROWS != 0 {
            FrameMode::Rows
        } else if options & frame::GROUPS != 0 {
            FrameMode::Groups
        } else {
            FrameMode::Range
        };
        let has_offset = options & (frame::START_OFFSET | frame::END_OFFSET) != 0;
        if mode == FrameMode::Range && has_offset && order_by.len() != 1 {
            let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
            return Err(PgError::new(SqlState::WINDOWING_ERROR, message).at(location));
        }
        if mode == FrameMode::Groups && order_by.is_empty() {
            let message = "GROUPS mode requires an ORDER BY clause";
            return Err(PgError::new(SqlState::WINDOWING_ERROR, message).at(location));
        }
        let key = order_by.first().map(|(key, _)| key.ty.oid);
        let has = |bit: i32| options & bit != 0;
        let start = if has(frame::START_UNBOUNDED_PRECEDING) {
            FrameBound::UnboundedPreceding
        } else if has(frame::START_CURRENT_ROW) {
            FrameBound::CurrentRow
        } else {
            let offset = self.frame_offset(definition.start_offset.as_deref(), mode, key)?;
            if has(frame::START_OFFSET_PRECEDING) {
                FrameBound::Preceding(offset)
            } else {
                FrameBound::Following(offset)
            }
        };
        let end = if has(frame::END_UNBOUNDED_FOLLOWING) {
            FrameBound::UnboundedFollowing
        } else if has(frame::END_CURRENT_ROW) {
            FrameBound::CurrentRow
        } else {
            let offset = self.frame_offset(definition.end_offset.as_deref(), mode, key)?;
            if has(frame::END_OFFSET_PRECEDING) { FrameBound::Preceding(offset) } else { FrameBound::Following(offset) }
        };
        let exclude = if has(frame::EXCLUDE_CURRENT_ROW) {
            FrameExclude::CurrentRow
        } else if has(frame::EXCLUDE_GROUP) {
            FrameExclude::Group
        } else if has(frame::EXCLUDE_TIES) {
            FrameExclude::Ties
        } else {
            FrameExclude::NoOthers
        };
        let _ = frame::NONDEFAULT | frame::BETWEEN;
        Ok(WindowFrame { mode, start, end, exclude })
    }

    /// The `n` of `n PRECEDING` (`transformFrameOffset`).
    fn frame_offset(&mut self, node: Option<&pb::Node>, mode: FrameMode, key: Option<Oid>) -> Result<Expr> {
        let node = inner(node.ok_or_else(|| PgError::internal("a frame bound without its offset"))?)?;
        let (context, name) = match mode {
            FrameMode::Rows => (ExprContext::WindowFrameRows, "ROWS"),
            FrameMode::Range => (ExprContext::WindowFrameRange, "RANGE"),
            FrameMode::Groups => (ExprContext::WindowFrameGroups, "GROUPS"),
        };
        let offset = self.transform_expr(node, context)?;
        let target = match (mode, key) {
            (FrameMode::Range, Some(key)) => self.in_range_offset_type(key, &offset)?,
            _ => oid::INT8,
        };
        let offset = self.coerce_to_specific_type(offset, target, name)?;
        self.check_var_free(&offset, name)?;
        Ok(offset)
    }

    /// The type that RANGE's offset must have for a sort key of this type.
    fn in_range_offset_type(&self, key: Oid, offset: &Expr) -> Result<Oid> {
        let given = offset.ty.oid;
        let spot = super::location::expr_position(offset);
        let refuse = |what: String| error(SqlState::FEATURE_NOT_SUPPORTED, what).at(spot);
        let operators = self.ordering(key)?;
        let functions: Vec<Oid> = facts::family_procs()
            .iter()
            .filter(|row| row.family == operators.family && row.left == operators.input && row.number == IN_RANGE)
            .map(|row| row.right)
            .collect();
        if functions.is_empty() {
            return Err(refuse(format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                self.format_type(key, -1)
            )));
        }
        let preferred = if given == oid::UNKNOWN { operators.input } else { given };
        let fitting: Vec<Oid> =
            functions.into_iter().filter(|&right| self.can_coerce(given, right, CoercionContext::Implicit)).collect();
        match fitting.as_slice() {
            [] => Err(refuse(format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and offset type {}",
                self.format_type(key, -1),
                self.format_type(given, -1)
            ))
            .with_hint("Cast the offset value to an appropriate type.")),
            [only] => Ok(*only),
            several if several.contains(&preferred) => Ok(preferred),
            _ => Err(refuse(format!(
                "RANGE with offset PRECEDING/FOLLOWING has multiple interpretations for column type {} and offset type {}",
                self.format_type(key, -1),
                self.format_type(given, -1)
            ))
            .with_hint("Cast the offset value to the exact intended type.")),
        }
    }
}

/// Lets calls share a window where anonymous ones are the same.
fn merge_equal_windows(query: &mut Query) {
    let windows = std::mem::take(&mut query.windows);
    let mut kept: Vec<WindowClause> = Vec::with_capacity(windows.len());
    let mut renumbered = Vec::with_capacity(windows.len());
    for window in windows {
        let twin = kept.iter().position(|other| window.name.is_none() && other.name.is_none() && *other == window);
        renumbered.push(twin.unwrap_or(kept.len()));
        if twin.is_none() {
            kept.push(window);
        }
    }
    query.windows = kept;
    own_expressions_mut(query, &mut |expr| {
        super::walk::for_each_expr_mut(expr, &mut |part| {
            if let ExprKind::Window(call) = &mut part.kind {
                call.window = renumbered[call.window];
            }
        });
    });
}
