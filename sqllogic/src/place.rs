//! Where scripts are run: each in a database of its own, so that none sees what another left.

use std::sync::atomic::{AtomicU32, Ordering};

use heliosdb::Database;

use crate::peer::{Peer, Refusal, Rendering};
use crate::served::Served;
use sqllogictest::DB as _;

/// Where scripts are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Sessions of a database in memory.
    Embedded,
    /// Connections to a server in this process, over a database in memory.
    Wire,
    /// Connections to a PostgreSQL server, by URI.
    Postgres(String),
}

impl Place {
    /// PostgreSQL 18, where `HELIOS_REFERENCE_URI` says.
    ///
    /// # Errors
    ///
    /// When it does not say.
    pub fn reference() -> Result<Place, String> {
        let missing = "HELIOS_REFERENCE_URI is not set: run this under `sqllogic/reference/pg run`";
        std::env::var("HELIOS_REFERENCE_URI").map(Place::Postgres).map_err(|_| missing.to_owned())
    }

    /// By name: `embedded`, `wire`, `postgres`.
    ///
    /// # Errors
    ///
    /// When there is no such place, or it is not known where it is.
    pub fn named(name: &str) -> Result<Place, String> {
        match name {
            "embedded" => Ok(Place::Embedded),
            "wire" => Ok(Place::Wire),
            "postgres" => Place::reference(),
            _ => Err(format!("no such engine: {name} (embedded, wire or postgres)")),
        }
    }

    /// An empty database there.
    ///
    /// # Errors
    ///
    /// When none can be made.
    pub fn room(&self) -> Result<Room, Refusal> {
        match self {
            Place::Embedded | Place::Wire => {
                let database = Database::open(":memory:").map_err(|error| Refusal {
                    code: error.code().as_str().to_owned(),
                    message: error.message().to_owned(),
                    detail: None,
                    hint: None,
                    position: None,
                })?;
                Ok(match self {
                    Place::Embedded => Room::Embedded(database),
                    _ => Room::Served(Served::start(database)),
                })
            }
            Place::Postgres(uri) => {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let name = format!("slt_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                let mut administrator = Peer::wire(uri, Rendering::Ours)?;
                administrator.run(&format!("CREATE DATABASE {name}"))?;
                let (server, _) = uri.rsplit_once('/').unwrap_or((uri, ""));
                Ok(Room::Postgres { administrator, uri: format!("{server}/{name}"), name })
            }
        }
    }
}

/// An empty database, until it is dropped.
pub enum Room {
    /// In this process.
    Embedded(Database),
    /// Behind a server in this process.
    Served(Served),
    /// In PostgreSQL.
    Postgres {
        /// What made it and drops it.
        administrator: Peer,
        /// The database's URI.
        uri: String,
        /// The database's name.
        name: String,
    },
}

impl Room {
    /// A session or a connection.
    ///
    /// # Errors
    ///
    /// When there is none to be had.
    pub fn peer(&self, rendering: Rendering) -> Result<Peer, Refusal> {
        match self {
            Room::Embedded(database) => Peer::embedded(database, rendering),
            Room::Served(served) => Peer::wire(&served.uri(), rendering),
            Room::Postgres { uri, .. } => Peer::wire(uri, rendering),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Room::Postgres { administrator, name, .. } = self
            && let Err(error) = administrator.run(&format!("DROP DATABASE {name} WITH (FORCE)"))
        {
            eprintln!("database {name} was left behind: {error}");
        }
    }
}
