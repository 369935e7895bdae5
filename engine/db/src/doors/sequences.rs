//! `nextval` and its kin.

use std::sync::Arc;

use helios_catalog::model::Sequence;
use helios_env::BoxFuture;
use helios_env::hash::HashMap;
use helios_env::sync::Mutex;
use helios_sql::execute::Sequences;
use helios_txn::SequenceLimits;
use helios_types::{Oid, PgError, Result, SqlState};

use super::StatementDoors;
use crate::database::Database;

/// What `nextval` gave a session last.
#[derive(Debug, Default)]
pub(crate) struct SequenceMemory(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    values: HashMap<Oid, i64>,
    last: Option<Oid>,
}

impl SequenceMemory {
    /// DISCARD SEQUENCES.
    pub(crate) fn forget(&self) {
        *self.0.lock() = Memory::default();
    }
}

/// What a sequence may yield.
pub(crate) fn limits(sequence: &Sequence) -> SequenceLimits {
    SequenceLimits {
        state: sequence.state,
        first: sequence.first,
        increment: sequence.increment,
        min: sequence.min,
        max: sequence.max,
        cycle: sequence.cycle,
    }
}

impl Database {
    /// `last_value` and `is_called` of a committed sequence, for tools.
    pub fn sequence_value(&self, oid: Oid) -> Option<(i64, bool)> {
        let catalog = self.catalog();
        Some(self.transactions().sequences().current(&limits(catalog.sequence(oid)?)))
    }
}

impl StatementDoors {
    fn sequence(&self, oid: Oid) -> Result<Arc<Sequence>> {
        if let Some(sequence) = self.catalog.sequence(oid) {
            return Ok(sequence.clone());
        }
        if let Some(sequence) = self.created.lock().iter().find(|sequence| sequence.oid == oid) {
            return Ok(sequence.clone());
        }
        Err(match self.catalog.relation(oid) {
            Some(other) => {
                PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot open relation \"{}\"", other.name()))
                    .with_detail(format!("This operation is not supported for {}.", plural(other.kind().noun())))
            }
            None => PgError::new(SqlState::UNDEFINED_TABLE, format!("could not open relation with OID {oid}")),
        })
    }

    fn next_value(&self, oid: Oid) -> Result<i64> {
        let sequence = self.sequence(oid)?;
        if self.read_only {
            return Err(crate::session::read_only("nextval()"));
        }
        self.transaction.used_sequences();
        let value = self.database.transactions().sequences().next(&limits(&sequence), &sequence.name)?;
        let mut memory = self.sequences.0.lock();
        memory.values.insert(oid, value);
        memory.last = Some(oid);
        Ok(value)
    }

    fn set_value(&self, oid: Oid, value: i64, is_called: bool) -> Result<i64> {
        let sequence = self.sequence(oid)?;
        if self.read_only {
            return Err(crate::session::read_only("setval()"));
        }
        if value < sequence.min || value > sequence.max {
            return Err(PgError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                    sequence.name, sequence.min, sequence.max
                ),
            ));
        }
        self.transaction.used_sequences();
        self.database.transactions().sequences().set(&limits(&sequence), value, is_called);
        if is_called {
            self.sequences.0.lock().values.insert(oid, value);
        }
        Ok(value)
    }
}

fn plural(noun: &str) -> String {
    if noun == "index" { "indexes".to_owned() } else { format!("{noun}s") }
}

impl Sequences for StatementDoors {
    fn next(&self, sequence: Oid) -> BoxFuture<'_, Result<i64>> {
        Box::pin(std::future::ready(self.next_value(sequence)))
    }

    fn current(&self, sequence: Oid) -> Result<i64> {
        let found = self.sequence(sequence)?;
        self.sequences.0.lock().values.get(&sequence).copied().ok_or_else(|| {
            PgError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("currval of sequence \"{}\" is not yet defined in this session", found.name),
            )
        })
    }

    fn last(&self) -> Result<i64> {
        let memory = self.sequences.0.lock();
        let value =
            memory.last.and_then(|last| memory.values.get(&last).filter(|_| self.catalog.sequence(last).is_some()));
        value.copied().ok_or_else(|| {
            PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session")
        })
    }

    fn set(&self, sequence: Oid, value: i64, is_called: bool) -> BoxFuture<'_, Result<i64>> {
        Box::pin(std::future::ready(self.set_value(sequence, value, is_called)))
    }

    fn admit(&self, sequence: Arc<Sequence>) {
        self.created.lock().push(sequence);
    }
}
