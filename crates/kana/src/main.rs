//! Which role does this process play? `kana --help` lists them; [`kana::cli`] decides.

use std::process::ExitCode;

fn main() -> ExitCode {
    kana::cli::main()
}
