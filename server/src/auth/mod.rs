//! Who may connect, and how they prove who they are.

mod scram;

use std::net::IpAddr;

pub(crate) use scram::{MECHANISM, ScramServer};

/// How clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMethod {
    /// Connections from this machine are trusted, others need a password (SCRAM-SHA-256).
    #[default]
    TrustLoopback,
    /// Everybody needs a password.
    Scram,
    /// Everybody is trusted. For tests.
    Trust,
}

impl AuthMethod {
    /// Whether a client at this address needs a password. No address is a client within this process.
    pub(crate) fn needs_password(self, address: Option<IpAddr>) -> bool {
        match self {
            AuthMethod::TrustLoopback => address.is_some_and(|address| !address.is_loopback()),
            AuthMethod::Scram => true,
            AuthMethod::Trust => false,
        }
    }
}
