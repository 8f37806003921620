//! Generates the messages and services of plugins, for the feature `plugins` only.

fn main() -> std::io::Result<()> {
    #[cfg(feature = "plugins")]
    generate()?;
    Ok(())
}

#[cfg(feature = "plugins")]
fn generate() -> std::io::Result<()> {
    let files = ["csi", "deviceplugin", "pluginregistration"];
    let files = files.map(|name| format!("proto/{name}.proto"));
    // What only plugins need is for tests, which include the generated code themselves.
    tonic_prost_build::configure().btree_map(".").compile_protos(&files, &["proto".to_owned()])
}
