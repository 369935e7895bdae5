//! Messages of the wire protocol: reading the client's, writing the server's.

pub(crate) mod backend;
pub(crate) mod frontend;
