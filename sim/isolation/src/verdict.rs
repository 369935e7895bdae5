//! What a check finds: anomalies by their names, each with its reasons, and counts.

use std::collections::BTreeSet;
use std::fmt;

use crate::history::Isolation;

/// Which orders beside the dependencies a history is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// None: what follows from reads and writes alone.
    Dependencies,
    /// A session's transactions happen in their order.
    Sessions,
    /// Whatever was complete happens before whatever begins after that.
    Realtime,
}

/// What a history is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// Of every transaction that does not say otherwise.
    pub isolation: Isolation,
    /// The orders that count.
    pub order: Order,
}

impl Level {
    /// PL-2, and each statement sees one snapshot.
    pub const READ_COMMITTED: Level = Level { isolation: Isolation::ReadCommitted, order: Order::Dependencies };
    /// PL-SI.
    pub const REPEATABLE_READ: Level = Level { isolation: Isolation::RepeatableRead, order: Order::Dependencies };
    /// PL-3, of items.
    pub const SERIALIZABLE: Level = Level { isolation: Isolation::Serializable, order: Order::Dependencies };

    /// The same in real time, which is what a database on one machine promises.
    #[must_use]
    pub const fn strict(self) -> Level {
        Level { order: Order::Realtime, ..self }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.order {
            Order::Dependencies => "",
            Order::Sessions => "session ",
            Order::Realtime => "strict ",
        })?;
        write!(f, "{}", self.isolation)
    }
}

/// What can be wrong with a history. The names are Adya's where he has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anomaly {
    /// A value was read that nobody wrote.
    GarbageRead,
    /// A list has an element twice.
    DuplicateElement,
    /// Two reads of an object cannot both be of one history of it.
    IncompatibleOrder,
    /// A transaction does not see its own writes, or its snapshot changes under it.
    Internal,
    /// A read shows what was rolled back.
    G1a,
    /// A read shows what its writer itself replaced, or a part of what it appended.
    G1b,
    /// What was rolled back is below what was committed.
    DirtyUpdate,
    /// A cycle of write dependencies.
    G0,
    /// A cycle of write and read dependencies.
    G1c,
    /// Two transactions have read one version and both replaced it.
    LostUpdate,
    /// One statement saw two states (read committed).
    StatementSkew,
    /// A later statement saw an earlier state (read committed); Adya's condition for monotonic views.
    GMonotonic,
    /// A cycle with one anti-dependency: read skew.
    GSingle,
    /// Two observers saw two independent writes in two orders.
    LongFork,
    /// A cycle with anti-dependencies, no two of them one after the other.
    GNonadjacent,
    /// A cycle with anti-dependencies one after the other: write skew.
    G2Item,
}

impl Anomaly {
    /// All of them, the plainest first.
    pub const ALL: [Anomaly; 16] = [
        Anomaly::GarbageRead,
        Anomaly::DuplicateElement,
        Anomaly::IncompatibleOrder,
        Anomaly::Internal,
        Anomaly::G1a,
        Anomaly::G1b,
        Anomaly::DirtyUpdate,
        Anomaly::G0,
        Anomaly::G1c,
        Anomaly::LostUpdate,
        Anomaly::StatementSkew,
        Anomaly::GMonotonic,
        Anomaly::GSingle,
        Anomaly::LongFork,
        Anomaly::GNonadjacent,
        Anomaly::G2Item,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Anomaly::GarbageRead => "garbage read",
            Anomaly::DuplicateElement => "duplicate element",
            Anomaly::IncompatibleOrder => "incompatible order",
            Anomaly::Internal => "internal",
            Anomaly::G1a => "G1a",
            Anomaly::G1b => "G1b",
            Anomaly::DirtyUpdate => "dirty update",
            Anomaly::G0 => "G0",
            Anomaly::G1c => "G1c",
            Anomaly::LostUpdate => "lost update",
            Anomaly::StatementSkew => "statement skew",
            Anomaly::GMonotonic => "G-monotonic",
            Anomaly::GSingle => "G-single",
            Anomaly::LongFork => "long fork",
            Anomaly::GNonadjacent => "G-nonadjacent",
            Anomaly::G2Item => "G2-item",
        }
    }
}

/// An anomaly that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub anomaly: Anomaly,
    /// The order without which there is none.
    pub order: Order,
    /// The transactions in it, by their index, in the order of the explanation.
    pub transactions: Vec<usize>,
    /// Why: an edge of the cycle or an operation per line.
    pub explanation: Vec<String>,
}

impl Finding {
    /// The anomaly's name, with the order that it needs: `G-single-realtime`.
    pub fn name(&self) -> String {
        let order = match self.order {
            Order::Dependencies => "",
            Order::Sessions => "-session",
            Order::Realtime => "-realtime",
        };
        format!("{}{order}", self.anomaly.name())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        self.explanation.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

macro_rules! counts {
    ($($(#[doc = $doc:literal])* $field:ident $name:literal,)*) => {
        /// How much a check had to look at.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[doc = $doc])* pub $field: u64,)* }

        impl Counts {
            /// Adds those of another history.
            pub fn add(&mut self, other: &Counts) {
                $(self.$field += other.$field;)*
            }

            /// Names and numbers, in the order of declaration.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field),)*]
            }
        }
    };
}

counts! {
    /// Transactions.
    transactions "transactions",
    /// Those that were acknowledged.
    committed "committed",
    /// Those that were not, and nothing may be left of them.
    aborted "aborted",
    /// Those of which nobody heard.
    unknown "unknown",
    /// Those of them that happened: somebody has read from them.
    unknown_seen "unknown but seen",
    /// Objects.
    objects "objects",
    /// Reads of an object.
    reads "reads",
    /// Writes of an object.
    writes "writes",
    /// Write dependencies.
    write_write "ww edges",
    /// Read dependencies.
    write_read "wr edges",
    /// Anti-dependencies.
    read_write "rw edges",
    /// Edges of sessions and of real time.
    order "order edges",
    /// Points in time that were put in order.
    points "points",
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.named().iter().map(|(name, count)| format!("{count} {name}")).collect();
        f.write_str(&named.join(", "))
    }
}

/// What [`check`](crate::check) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the history was held against.
    pub level: Level,
    /// Everything that the level forbids, the plainest first.
    pub findings: Vec<Finding>,
    /// What there was to look at.
    pub counts: Counts,
}

impl Verdict {
    /// Whether nothing was found.
    pub fn is_legal(&self) -> bool {
        self.findings.is_empty()
    }

    /// The names of what was found.
    pub fn names(&self) -> BTreeSet<String> {
        self.findings.iter().map(Finding::name).collect()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_legal() {
            write!(f, "legal at {}", self.level)?;
        } else {
            let names: Vec<String> = self.names().into_iter().collect();
            write!(f, "not {}: {}", self.level, names.join(", "))?;
        }
        write!(f, " ({})", self.counts)?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n{finding}"))
    }
}
