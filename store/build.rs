//! Generates the messages and services of the etcd v3 API, for the feature `server` only.

fn main() -> std::io::Result<()> {
    #[cfg(feature = "server")]
    generate()?;
    Ok(())
}

#[cfg(feature = "server")]
fn generate() -> std::io::Result<()> {
    tonic_prost_build::configure()
        // Keys and values are pieces of the buffer a request came in, not copies of it.
        .bytes(".")
        // Clients are for tests, which include the generated code themselves.
        .client_mod_attribute(".", "#[cfg(test)]")
        .compile_protos(&["proto/rpc.proto"], &["proto"])
}
