//! Which role does this process play? `kana --help` lists them; [`kana::cli`] decides.

use std::process::ExitCode;

/// Gives memory back to the system soon after it is freed. The C library's allocator keeps it, up to hundreds of
/// megabytes after an attack, and then the gateway's bound on memory would not hold.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kana::cli::main()
}
