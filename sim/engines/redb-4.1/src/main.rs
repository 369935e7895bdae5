//! What redb 4.1.0 survives: the same as `engines`, with the older redb in it.

fn main() -> std::process::ExitCode {
    helios_sim_engines::command_line::main()
}
