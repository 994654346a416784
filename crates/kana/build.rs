//! When must the binary be built again, apart from its own sources?
//!
//! When its page was: the page is embedded, and cargo does not look into folders that git ignores.

fn main() {
    // An empty folder can be watched, a missing one makes every build a full one. Where it cannot be made there is no
    // page to embed either.
    let _ = std::fs::create_dir_all("../../ui/dist");
    println!("cargo::rerun-if-changed=../../ui/dist");
}
