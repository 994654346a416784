//! Where does a test's server get its TLS certificate?
//!
//! From a certificate authority that `openssl` creates in the server's folder, and that no other program trusts.

use std::path::Path;
use std::process::{Command, Stdio};

/// The authority's certificate, in the server's folder.
pub const AUTHORITY: &str = "ca.crt";

/// Makes an authority in `folder`, and a certificate of the server at 127.0.0.1.
pub fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(folder, &format!("req -x509 {key} -keyout ca.key -out {AUTHORITY} -subj /CN=authority"));
    let name = "-subj /CN=server -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE";
    openssl(
        folder,
        &format!("req -x509 -CA {AUTHORITY} -CAkey ca.key {key} -keyout server.key -out server.crt {name}"),
    );
}

/// Arguments that make a Redis server use them.
pub fn options(folder: &Path) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let named =
        [["--tls-cert-file", "server.crt"], ["--tls-key-file", "server.key"], ["--tls-ca-cert-file", AUTHORITY]];
    let named = named.into_iter().flat_map(|[option, name]| [option.to_owned(), file(name)]);
    named.chain(["--tls-auth-clients", "no"].map(str::to_owned)).collect()
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split_whitespace()).stderr(Stdio::null());
    assert!(command.status().expect("openssl on the path").success(), "openssl {arguments}");
}
