//! Frames: which rows of its partition a window function sees from a row.

use helios_catalog::facts;
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::Partition;
use crate::execute::context::ExecutionContext;
use crate::functions::{self, CallCache, FunctionContext, Implementation};
use crate::plan::{SortKey, Window, catalog};
use crate::query::{FrameBound, FrameExclude, FrameMode};

/// The frame of every row of a partition, as first row and the row behind the last, before EXCLUDE.
pub(super) struct Frames {
    bounds: Vec<(u32, u32)>,
    peers: Vec<(u32, u32)>,
    exclude: FrameExclude,
}

impl Frames {
    pub(super) fn new(
        plan: &Window,
        partition: &Partition<'_>,
        start: Option<Datum>,
        end: Option<Datum>,
        context: &ExecutionContext,
    ) -> Result<Frames> {
        let frame = &plan.frame;
        let starts = Side { plan, partition, bound: &frame.start, offset: start, is_start: true };
        let ends = Side { plan, partition, bound: &frame.end, offset: end, is_start: false };
        let bounds = starts.positions(context)?.into_iter().zip(ends.positions(context)?).collect();
        Ok(Frames { bounds, peers: partition.peers.clone(), exclude: frame.exclude })
    }

    /// A row's frame before EXCLUDE; empty when it ends before it begins.
    pub(super) fn bounds(&self, row: usize) -> (usize, usize) {
        let (start, end) = self.bounds[row];
        (start as usize, end.max(start) as usize)
    }

    /// Whether EXCLUDE takes nothing out.
    pub(super) fn is_contiguous(&self) -> bool {
        self.exclude == FrameExclude::NoOthers
    }

    /// A row's frame as ranges of rows, after EXCLUDE.
    pub(super) fn ranges(&self, row: usize) -> Vec<(usize, usize)> {
        let (start, end) = self.bounds(row);
        let (first_peer, last_peer) = self.peers[row];
        let (first_peer, last_peer) = (first_peer as usize, last_peer as usize);
        let ranges = match self.exclude {
            FrameExclude::NoOthers => vec![(start, end)],
            FrameExclude::CurrentRow => vec![(start, row.min(end)), (start.max(row + 1), end)],
            FrameExclude::Group => vec![(start, first_peer.min(end)), (start.max(last_peer), end)],
            FrameExclude::Ties => {
                vec![(start, first_peer.min(end)), (start.max(row), end.min(row + 1)), (start.max(last_peer), end)]
            }
        };
        ranges.into_iter().filter(|(from, to)| from < to).collect()
    }
}

/// One end of the frames.
struct Side<'a> {
    plan: &'a Window,
    partition: &'a Partition<'a>,
    bound: &'a FrameBound,
    offset: Option<Datum>,
    is_start: bool,
}

impl Side<'_> {
    fn positions(&self, context: &ExecutionContext) -> Result<Vec<u32>> {
        let len = self.partition.len;
        let peers = &self.partition.peers;
        Ok(match (self.bound, self.plan.frame.mode) {
            (FrameBound::UnboundedPreceding, _) => vec![0; len],
            (FrameBound::UnboundedFollowing, _) => vec![len as u32; len],
            (FrameBound::CurrentRow, FrameMode::Rows) => {
                (0..len as u32).map(|row| if self.is_start { row } else { row + 1 }).collect()
            }
            (FrameBound::CurrentRow, FrameMode::Range | FrameMode::Groups) => {
                peers.iter().map(|(first, last)| if self.is_start { *first } else { *last }).collect()
            }
            (FrameBound::Preceding(_) | FrameBound::Following(_), FrameMode::Rows) => {
                let offset = self.count()?;
                (0..len as i64).map(|row| self.clamp(row.saturating_add(offset))).collect()
            }
            (FrameBound::Preceding(_) | FrameBound::Following(_), FrameMode::Groups) => self.groups(self.count()?),
            (FrameBound::Preceding(_) | FrameBound::Following(_), FrameMode::Range) => self.range(context)?,
        })
    }

    fn preceding(&self) -> bool {
        matches!(self.bound, FrameBound::Preceding(_))
    }

    fn which(&self) -> &'static str {
        if self.is_start { "starting" } else { "ending" }
    }

    /// The offset as a signed number of rows or groups.
    fn count(&self) -> Result<i64> {
        let Some(Datum::I64(count)) = self.offset else {
            return Err(self.null_offset());
        };
        if count < 0 {
            return Err(PgError::new(
                SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE,
                format!("frame {} offset must not be negative", self.which()),
            ));
        }
        Ok(if self.preceding() { -count } else { count })
    }

    fn null_offset(&self) -> PgError {
        PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, format!("frame {} offset must not be null", self.which()))
    }

    /// A row as a bound: the end is behind it.
    fn clamp(&self, row: i64) -> u32 {
        let bound = if self.is_start { row } else { row.saturating_add(1) };
        bound.clamp(0, self.partition.len as i64) as u32
    }

    /// GROUPS: so many peer groups away.
    fn groups(&self, offset: i64) -> Vec<u32> {
        let mut groups: Vec<(u32, u32)> = self.partition.peers.clone();
        groups.dedup();
        let mut group = 0usize;
        let position = |row: usize| {
            while groups[group].1 as usize <= row {
                group += 1;
            }
            let wanted = (group as i64).saturating_add(offset);
            match usize::try_from(wanted) {
                Err(_) => 0,
                Ok(wanted) if wanted >= groups.len() => self.partition.len as u32,
                Ok(wanted) if self.is_start => groups[wanted].0,
                Ok(wanted) => groups[wanted].1,
            }
        };
        (0..self.partition.len).map(position).collect()
    }

    /// RANGE with an offset: by the `in_range` function of the order column's operator family. The bounds move only
    /// forwards from row to row.
    fn range(&self, context: &ExecutionContext) -> Result<Vec<u32>> {
        let [key] = &self.plan.order[..] else {
            return Err(PgError::internal("RANGE with an offset has one ORDER BY column"));
        };
        let offset = self.offset.clone().filter(|offset| !offset.is_null()).ok_or_else(|| self.null_offset())?;
        let in_range = InRange::find(key, self.offset_type(), context)?;
        let mut sub = self.preceding();
        let mut less = !self.is_start;
        if key.order.descending {
            (sub, less) = (!sub, !less);
        }
        let mut at = 0usize;
        let mut positions = Vec::with_capacity(self.partition.len);
        for row in 0..self.partition.len {
            let current = self.partition.value(key.column, row);
            while at < self.partition.len {
                let value = self.partition.value(key.column, at);
                let advance = if value.is_null() || current.is_null() {
                    let (null, current_null) = (value.is_null(), current.is_null());
                    match (self.is_start, key.order.nulls_first) {
                        (true, true) => null && !current_null,
                        (true, false) => !null && current_null,
                        (false, true) => null || !current_null,
                        (false, false) => !null || current_null,
                    }
                } else {
                    in_range.call(value, current.clone(), offset.clone(), sub, less, context)? != self.is_start
                };
                if !advance {
                    break;
                }
                at += 1;
            }
            positions.push(at as u32);
        }
        Ok(positions)
    }

    fn offset_type(&self) -> Oid {
        let offset = if self.is_start { &self.plan.start_offset } else { &self.plan.end_offset };
        offset.as_ref().map_or(Oid::NONE, |offset| offset.expr.ty.oid)
    }
}

/// `in_range(value, base, offset, sub, less)`.
struct InRange {
    scalar: functions::Scalar,
    arg_types: [Oid; 5],
    cache: CallCache,
}

impl InRange {
    fn find(key: &SortKey, offset: Oid, _context: &ExecutionContext) -> Result<InRange> {
        let unsupported = || {
            PgError::unsupported(format_args!(
                "RANGE with offset PRECEDING/FOLLOWING for column type {} and offset type {}",
                helios_types::format_type(key.ty.oid, -1),
                helios_types::format_type(offset, -1)
            ))
        };
        let class = facts::operator_classes().default_for(facts::BTREE, key.ty.oid).ok_or_else(unsupported)?;
        const IN_RANGE: i16 = 3;
        let found = facts::family_procs().iter().find(|row| {
            row.family == class.family && row.number == IN_RANGE && row.left == key.ty.oid && row.right == offset
        });
        let proc = catalog::proc(found.ok_or_else(unsupported)?.function)?;
        match functions::bind(proc.oid, proc.source) {
            Some(Implementation::Scalar(scalar) | Implementation::Kernel(scalar, _)) => {
                let boolean = helios_types::oid::BOOL;
                let arg_types = [key.ty.oid, key.ty.oid, offset, boolean, boolean];
                Ok(InRange { scalar, arg_types, cache: CallCache::default() })
            }
            _ => Err(unsupported()),
        }
    }

    fn call(
        &self,
        value: Datum,
        base: Datum,
        offset: Datum,
        sub: bool,
        less: bool,
        context: &ExecutionContext,
    ) -> Result<bool> {
        let function_context = FunctionContext {
            session: &context.session,
            collation: Oid::NONE,
            arg_types: &self.arg_types,
            result: crate::expr::ExprType::new(helios_types::oid::BOOL),
            variadic: false,
            cache: &self.cache,
        };
        let args = [value, base, offset, Datum::Bool(sub), Datum::Bool(less)];
        Ok((self.scalar)(&function_context, &args)? == Datum::Bool(true))
    }
}
