//! How does a test speak HTTP?

use std::sync::OnceLock;

/// A client without connections that outlive a request, so that servers may come and go behind one address.
pub fn client() -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| _ = rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client")
}

/// The status code and the text that `url` answers; 0 where nobody does.
pub async fn get(url: &str) -> (u16, String) {
    match client().get(url).send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    }
}
