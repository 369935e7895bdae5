//! HeliosDB itself in the simulated world: SQL at the top, disks that fail at the bottom. See `helios-workloads`.

mod determinism;
mod faults;
mod regressions;
mod scripts;
mod swarms;
