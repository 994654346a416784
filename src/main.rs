//! One binary, several roles: see `kana --help`.

fn main() {}
