//! See [`helios_sim_engines::command_line`].

fn main() -> std::process::ExitCode {
    helios_sim_engines::command_line::main()
}
