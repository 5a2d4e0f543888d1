//! The `mrctl` program: everything is in the library, so that tests and rehearsal use the same code.

/// A rehearsal copies states by the million: with it a third is done in the same time again, on any C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mrctl::cli::main()
}
