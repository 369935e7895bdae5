//! The simulator, tested: every fault does what it says, every broken program and every lying disk is caught.

mod conforming;
mod crash;
mod determinism;
mod exploring;
mod faults;
mod network;
mod running;
mod store;
mod swarming;
mod viewing;
