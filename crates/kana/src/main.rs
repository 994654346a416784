//! One binary, several roles: see `kana --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kana::cli::main()
}
