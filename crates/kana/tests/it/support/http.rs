//! How does a test send HTTP requests?

use std::sync::OnceLock;

/// A client that keeps no connections alive, so that servers may come and go under one address.
pub fn client() -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| _ = rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client")
}

/// Gets `url`. Returns the status code and the body; 0 where nothing answers.
pub async fn get(url: &str) -> (u16, String) {
    match client().get(url).send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    }
}
