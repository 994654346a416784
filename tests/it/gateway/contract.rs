//! Does the written description say what the code does?

use std::path::Path;

#[test]
fn the_committed_description_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/openapi.json");
    let generated = kana::gateway::openapi_text().unwrap();
    if std::env::var_os("KANA_UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }

    let committed = std::fs::read_to_string(&path).unwrap();

    assert!(committed == generated, "ui/openapi.json is old: run the tests with KANA_UPDATE=1");
}
