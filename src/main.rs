//! The `mrctl` program: everything is in the library, so that tests and rehearsal use the same code.

fn main() -> std::process::ExitCode {
    mrctl::cli::main()
}
