//! When must the binary be built again although its sources are unchanged?
//!
//! When the page has been built again: the page is embedded, and cargo does not watch folders that git ignores.

#[expect(clippy::disallowed_macros, reason = "cargo reads what a build script prints")]
fn main() {
    // An empty folder can be watched; a missing one would make every build a full one. Where it cannot be created there
    // is no page to embed either.
    let _ = std::fs::create_dir_all("../../ui/dist");
    println!("cargo::rerun-if-changed=../../ui/dist");
}
